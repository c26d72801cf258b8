"""Responses equal those of a real Airflow 2.10.5, except for rows of docs/differences.md."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.support import recorded
from tests.support.databases import emptied, load, seed_texts
from tests.support.live_server import UnmeasuredServer
from tests.support.paths import PARITY, ROOT

DOCUMENT = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
CASES = recorded.cases(PARITY / "airflow-2.10.5.cases.jsonl")
PROBES = recorded.cases(PARITY / "airflow-2.10.5.requests.jsonl")
DIFFERENCES = recorded.rows(DOCUMENT, "Recorded cases that differ") | recorded.rows(
    DOCUMENT, "Probed requests that differ"
)


def with_data_set(url: str) -> str:
    """Replace the content of a database with the recorded data set and return its URL."""
    load(emptied(url), *seed_texts())
    return url


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str]:
    """Return the URLs of two databases with the recorded data set, one to read, one to write."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("parity")
        return (
            with_data_set(f"sqlite:///{folder}/read.db"),
            with_data_set(f"sqlite:///{folder}/written.db"),
        )
    url = request.getfixturevalue("postgres_url")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE written"))
    engine.dispose()
    written = make_url(url).set(database="written").render_as_string(hide_password=False)
    return with_data_set(url), with_data_set(written)


@pytest.fixture(scope="module")
def ports(
    databases: tuple[str, str],
    users_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[recorded.Case], int]]:
    """Yield a function that returns the port of the live server for a case.

    Writes go to a separate server, so that reads find the seeded entries. Probes were recorded
    without credentials and go to a server without authentication.
    """
    to_read, to_write = databases
    with ExitStack() as stack:

        @functools.cache
        def port(url: str, deserialize: str, auth: str) -> int:
            live = stack.enter_context(
                UnmeasuredServer(
                    tmp_path_factory.mktemp("server"),
                    XCOM_DATABASE_URL=url,
                    XCOM_AUTH=auth,
                    XCOM_USERS_FILE=str(users_file),
                    XCOM_DESERIALIZE=deserialize,
                    XCOM_VALIDATE_RESPONSES="true",
                    XCOM_SCHEDULER_HEALTHY="false",  # none ran beside the recorded server
                )
            )
            return live.port

        def port_for(case: recorded.Case) -> int:
            reads = case["request"]["method"] in ("GET", "HEAD", "OPTIONS")
            return port(
                to_read if reads else to_write,
                str(case["id"].startswith("deser-on")),
                "users" if case in CASES else "none",
            )

        yield port_for


def compare_with_recording(case: recorded.Case, port: int) -> str:
    """Return how a response compares; fail if docs/differences.md does not say so."""
    answer = recorded.send(port, case)
    found = recorded.differences(case, answer)
    assert answer.status < 500
    if case["id"] in DIFFERENCES:
        here = recorded.status_here(DIFFERENCES[case["id"]])
        assert answer.status == case["response"]["status"] or str(answer.status) in here
        assert found, f"the response no longer differs; remove its row:\n{DIFFERENCES[case['id']]}"
        return "with a row in docs/differences.md, on two databases"
    assert not found, "the response differs and has no row in docs/differences.md"
    return "with the same answer, on two databases"


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case_matches_the_recording(
    case: recorded.Case, ports: Callable[[recorded.Case], int], count_case: Callable[..., None]
) -> None:
    how = compare_with_recording(case, ports(case))
    count_case(f"recorded cases of 2.10.5 {how}")


@pytest.mark.parametrize("case", PROBES, ids=[case["id"] for case in PROBES])
def test_probe_matches_the_recording(
    case: recorded.Case, ports: Callable[[recorded.Case], int], count_case: Callable[..., None]
) -> None:
    how = compare_with_recording(case, ports(case))
    count_case(f"probed requests of 2.10.5 {how}")


def test_every_documented_difference_names_a_recorded_case() -> None:
    assert DIFFERENCES.keys() <= {case["id"] for case in CASES + PROBES}


def test_lists_differ_only_by_the_entry_with_nan(
    ports: Callable[[recorded.Case], int],
) -> None:
    for case in (deepcopy(case) for case in CASES if case["id"] in DIFFERENCES):
        if case["id"].startswith("coll-") and case["response"]["status"] == 200:
            body = case["response"]["body"]
            body["total_entries"] -= 1
            body["xcom_entries"] = [
                entry for entry in body["xcom_entries"] if entry["key"] != "float_nan"
            ]
            assert recorded.differences(case, recorded.send(ports(case), case)) == []
