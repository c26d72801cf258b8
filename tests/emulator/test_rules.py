"""Every rule has a client that trips it, and one that does the right thing and does not."""

import pytest
from flask.testing import FlaskClient
from xcom_server.emulator.rules import RULES

from tests.emulator.played import play, rules, rules_of
from tests.emulator.rule_cases import RIGHT, TRIPS, Case

ELSEWHERE = {  # rules with tests below or in another file, because they need other servers
    *("invalid-token", "token-not-renewed", "wrong-password", "forbidden"),
    *("v1-on-airflow-3", "v2-on-airflow-2", "health-for-ever", "retry-storm"),
}


def name_of(case: Case) -> str:
    return f"{case.rule}-{case.requests[-1]}"[:80]


@pytest.mark.parametrize("case", TRIPS, ids=name_of)
def test_client_that_trips_a_rule(open_server: FlaskClient, case: Case) -> None:
    last = play(open_server, case.requests, **case.headers)[-1]

    assert (case.rule in rules(last), last["verdict"]) == (True, case.verdict), last
    found = next(each for each in last["findings"] if each["rule"] == case.rule)
    assert case.instead in found["instead"]
    assert found["text"].endswith(".")


@pytest.mark.parametrize("case", RIGHT, ids=name_of)
def test_client_that_does_the_right_thing(open_server: FlaskClient, case: Case) -> None:
    requests = play(open_server, case.requests, **case.headers)

    assert case.rule not in rules_of(requests)
    assert requests[-1]["verdict"] == case.verdict, requests[-1]


@pytest.mark.parametrize("path", ["version", "health", "dags", "dags/etl/dagRuns/r1", "nothing"])
def test_version_of_another_release(
    server_of_one_release: tuple[str, FlaskClient], path: str
) -> None:
    release, client = server_of_one_release
    rule, wrong, right = {
        "2.10.5": ("v2-on-airflow-2", "/api/v2", "/api/v1"),
        "3.3.2": ("v1-on-airflow-3", "/api/v1", "/api/v2"),
    }[release]
    (found,) = play(client, [f"GET {wrong}/{path}"])

    assert (found["verdict"], rules(found)[0]) == ("refused", rule)
    assert found["findings"][0]["instead"].startswith(f"GET {right}/")


def test_versions_of_one_release(server_of_one_release: tuple[str, FlaskClient]) -> None:
    release, client = server_of_one_release
    version = {"2.10.5": "v1", "3.3.2": "v2"}[release]
    found = play(client, [f"GET /api/{version}/version", f"GET /api/{version}/dags"])

    assert [(each["verdict"], rules(each)) for each in found] == [("conforms", [])] * 2


def test_every_rule_has_both_tests() -> None:
    ids = [rule.id for rule in RULES]

    assert len(ids) == len(set(ids))
    for cases in (TRIPS, RIGHT):
        assert {case.rule for case in cases} | ELSEWHERE == set(ids)
