"""It answers what a real Airflow 2.10.5 answered, but for the rows of docs/differences.md."""

import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.factory import create_app
from app.settings import Settings
from tests.conftest import PARITY, ROOT, emptied, load, seed_texts
from tests.parity import recorded

DOCUMENT = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
CASES = [case for case in recorded.cases(PARITY / "airflow-2.10.5.cases.jsonl")
         if not case["id"].startswith("auth-")]  # they wait for users
PROBES = recorded.cases(PARITY / "airflow-2.10.5.requests.jsonl")
DIFFERENCES = (recorded.rows(DOCUMENT, "Recorded cases that differ")
               | recorded.rows(DOCUMENT, "Probed requests that differ"))


def client_on(database_url: str, *, deserialize: bool) -> FlaskClient:
    return create_app(Settings(database_url=database_url, validate_responses=True,
                               deserialize=deserialize)).test_client()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """Return the file of a database that holds the recorded data set."""
    path = shutil.copy(empty_database, tmp_path_factory.mktemp("parity") / "xcom.db")
    load(f"sqlite:///{path}", *seed_texts())
    return path


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def readers(request: pytest.FixtureRequest, database: Path) -> Iterator[dict[bool, FlaskClient]]:
    """Yield clients that only read, without and with deserialization allowed."""
    url = f"sqlite:///{database}"
    if request.param == "postgresql":
        url = emptied(request.getfixturevalue("postgres_url"))
        load(url, *seed_texts())
    clients = {allowed: client_on(url, deserialize=allowed) for allowed in (False, True)}
    yield clients
    for client in clients.values():
        client.application.extensions["engine"].dispose()


@pytest.fixture
def client_for(database: Path, readers: dict[bool, FlaskClient],
               tmp_path: Path) -> Callable[[recorded.Case], FlaskClient]:
    """Return a client of the server that a case was recorded on; writes get a database alone."""
    def client(case: recorded.Case) -> FlaskClient:
        if case["request"]["method"] in ("GET", "HEAD", "OPTIONS"):
            return readers[case["id"].startswith("deser-on")]
        copy = shutil.copy(database, tmp_path)
        return client_on(f"sqlite:///{copy}", deserialize=False)
    return client


def hold_against_recording(case: recorded.Case, client: FlaskClient) -> str:
    """Return in a word how an answer compares; fail where that is not what the rows say."""
    found = recorded.differences(case, recorded.send(client, case))
    if case["id"] in DIFFERENCES:
        assert found, f"it no longer differs; remove its row:\n{DIFFERENCES[case['id']]}"
        return "with a row in docs/differences.md, on two databases"
    assert not found, "it differs and has no row in docs/differences.md"
    return "with the same answer, on two databases"


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_recorded_request_gets_the_recorded_answer(
        case: recorded.Case, client_for: Callable[[recorded.Case], FlaskClient],
        count_case: Callable[..., None]) -> None:
    how = hold_against_recording(case, client_for(case))
    count_case(f"recorded cases of 2.10.5 {how}")


@pytest.mark.parametrize("case", PROBES, ids=[case["id"] for case in PROBES])
def test_a_probed_request_gets_the_recorded_answer(
        case: recorded.Case, readers: dict[bool, FlaskClient],
        count_case: Callable[..., None]) -> None:
    how = hold_against_recording(case, readers[False])
    count_case(f"probed requests of 2.10.5 {how}")


def test_every_row_names_recorded_cases() -> None:
    assert DIFFERENCES.keys() <= {case["id"] for case in CASES + PROBES}


def test_an_answer_without_the_entry_that_cannot_be_stored_differs_by_that_alone(
        client_for: Callable[[recorded.Case], FlaskClient]) -> None:
    for case in (deepcopy(case) for case in CASES if case["id"] in DIFFERENCES):
        if case["id"].startswith("coll-") and case["response"]["status"] == 200:
            body = case["response"]["body"]
            body["total_entries"] -= 1
            body["xcom_entries"] = [entry for entry in body["xcom_entries"]
                                    if entry["key"] != "float_nan"]
            assert recorded.differences(case, recorded.send(client_for(case), case)) == []
