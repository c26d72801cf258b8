"""Responses equal those of a real Airflow 3.3.2, except for rows of docs/differences.md."""

from collections.abc import Callable
from pathlib import Path

import pytest
from xcom_server.auth.users import Role

from tests.support import recorded, recorded_v2
from tests.support.databases import emptied, load
from tests.support.live_server import UnmeasuredServer
from tests.support.paths import PARITY, ROOT

DOCUMENT = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
CASES = recorded.cases(PARITY / "airflow-3.3.2.cases.jsonl")
PROBES = recorded.cases(PARITY / "airflow-3.3.2.requests.jsonl")
DIFFERENCES = recorded.rows(
    DOCUMENT, "v2: recorded cases that differ", [case["id"] for case in CASES]
) | recorded.rows(DOCUMENT, "v2: probed requests that differ", [case["id"] for case in PROBES])

Answers = dict[str, recorded.Answer]


def answers(url: str, folder: Path, users_file: Path, cases: list[recorded.Case]) -> Answers:
    """Send recorded requests in order to a server with the recorded data set."""
    load(
        emptied(url),
        (PARITY / "parents.json").read_text(),
        (PARITY / "airflow-3.3.2.seed.json").read_text(),
    )
    with UnmeasuredServer(
        folder,
        XCOM_DATABASE_URL=url,
        XCOM_AUTH="users",
        XCOM_USERS_FILE=str(users_file),
        XCOM_REQUIRE_PARENTS="true",
        XCOM_SCHEDULER_HEALTHY="false",  # no scheduler ran beside the recorded server
        XCOM_VALIDATE_RESPONSES="true",
    ) as server:
        tokens = {str(role): recorded_v2.token(server.url, role) for role in Role}
        return {
            case["id"]: recorded.send(server.port, recorded_v2.with_tokens(case, tokens))
            for case in cases
        }


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('parity')}/xcom.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture(scope="module")
def to_cases(url: str, users_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return answers(url, tmp_path_factory.mktemp("cases"), users_file, CASES)


@pytest.fixture(scope="module")
def to_probes(url: str, users_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return answers(url, tmp_path_factory.mktemp("probes"), users_file, PROBES)


def compare_with_recording(case: recorded.Case, answer: recorded.Answer) -> str:
    """Return how a response compares; fail if docs/differences.md does not say so."""
    assert answer.status < 500
    if case["response"] is None:
        return "sent for the state it leaves"
    found = recorded_v2.differences(case, answer)
    if case["id"] in DIFFERENCES:
        here = recorded.status_here(DIFFERENCES[case["id"]])
        assert answer.status == case["response"]["status"] or str(answer.status) in here
        assert found, f"the response no longer differs; remove its row:\n{DIFFERENCES[case['id']]}"
        return "with a row in docs/differences.md"
    assert not found, "the response differs and has no row in docs/differences.md"
    return "with the same answer"


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case_matches_the_recording(
    case: recorded.Case, to_cases: Answers, count_case: Callable[..., None]
) -> None:
    how = compare_with_recording(case, to_cases[case["id"]])
    count_case(f"recorded cases of 3.3.2 {how}, on two databases")


@pytest.mark.parametrize("case", PROBES, ids=[case["id"] for case in PROBES])
def test_probe_matches_the_recording(
    case: recorded.Case, to_probes: Answers, count_case: Callable[..., None]
) -> None:
    how = compare_with_recording(case, to_probes[case["id"]])
    count_case(f"probed requests of 3.3.2 {how}, on two databases")


def test_every_documented_difference_names_a_recorded_case() -> None:
    assert DIFFERENCES.keys() <= {case["id"] for case in CASES + PROBES}
