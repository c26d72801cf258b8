"""Verdicts that depend on several requests, on faults, and on the emulated releases."""

import time
from typing import Any

import pytest
from xcom_server.emulator import judging
from xcom_server.emulator.rules import RULES
from xcom_server.emulator.rules.rule import Level, Rule
from xcom_server.emulator.verdicts import Judgment, Verdict

from tests.emulator.played import TASK
from tests.emulator.recorded import judged, record

HEALTH = {"path": "/api/v2/monitor/health", "operation": "v2.get_health"}
LIST = {
    "path": f"/api/v2/{TASK}/xcomEntries",
    "operation": "v2.get_xcom_entries",
    "items": 3,
    "total_entries": 3,
}
ENTRY = {"path": f"/api/v2/{TASK}/xcomEntries/k", "operation": "v2.get_xcom_entry"}
BUSY = {**ENTRY, "status": 503, "response": '{"detail": "busy"}'}


def ids(judgment: Judgment) -> list[str]:
    return [each.rule for each in judgment.findings]


def at(second: float, **fields: Any) -> Any:
    return record(**fields, at=f"2026-01-01T00:00:{second:09.6f}+00:00")


@pytest.mark.parametrize(
    ("versions", "fields", "rule", "instead"),
    [
        (
            ("3.3.2",),
            {"path": "/api/v1/dags/etl/dagRuns", "query": "order_by=-execution_date"},
            "v1-on-airflow-3",
            "GET /api/v2/dags/etl/dagRuns?order_by=-logical_date",
        ),
        (("3.3.2",), {"path": "/api/v1/health"}, "v1-on-airflow-3", "GET /api/v2/monitor/health"),
        (("2.10.5",), {"path": "/api/v2/dags"}, "v2-on-airflow-2", "GET /api/v1/dags"),
        (
            ("2.10.5",),
            {"path": "/api/v2/monitor/health"},
            "v2-on-airflow-2",
            "GET /api/v1/health",
        ),
        (
            ("2.10.5",),
            {"path": "/auth/token", "method": "POST"},
            "v2-on-airflow-2",
            "GET /api/v1/dags with the header Authorization: Basic BASE64(NAME:PASSWORD)",
        ),
    ],
)
def test_version_that_the_emulated_airflow_does_not_have(
    versions: tuple[str, ...], fields: dict[str, Any], rule: str, instead: str
) -> None:
    refused = {"status": 404, "operation": "", "response": '{"error": "gone"}'}
    (judgment,) = judged(record(**refused, **fields), versions=versions)

    assert (judgment.verdict, judgment.reason) == (Verdict.REFUSED, "404 Not Found: gone")
    assert [(each.rule, each.instead) for each in judgment.findings] == [(rule, instead)]


@pytest.mark.parametrize(
    ("versions", "path"),
    [
        (("3.3.2",), "/api/v2/version"),
        (("2.10.5",), "/api/v1/version"),
        (("2.10.5", "3.3.2"), "/api/v1/version"),
        (("2.10.5", "3.3.2"), "/api/v2/version"),
    ],
)
def test_version_that_the_emulated_airflow_has(versions: tuple[str, ...], path: str) -> None:
    operation = f"{path[5:7]}.get_version"
    (judgment,) = judged(record(path=path, operation=operation), versions=versions)

    assert judgment == Judgment(Verdict.CONFORMS, "")


def test_list_is_reported_until_its_client_reads_an_entry() -> None:
    other = record(**LIST, client="other")
    assert [ids(each) for each in judged(record(**LIST), other)] == [["value-in-list"]] * 2

    mine, others, _ = judged(record(**LIST), other, record(**ENTRY))

    assert (ids(mine), ids(others)) == ([], ["value-in-list"])


def test_client_that_deletes_what_it_lists_needs_no_values() -> None:
    deleted = {**ENTRY, "method": "DELETE", "operation": "v2.delete_xcom_entry", "status": 204}

    assert ids(judged(record(**LIST), record(**deleted))[0]) == []


@pytest.mark.parametrize(("state", "count"), [("unhealthy", 11), ("healthy", 0)])
def test_health_for_ever(state: str, count: int) -> None:
    response = f'{{"scheduler": {{"status": "{state}"}}}}'
    found = judged(*[record(**HEALTH, response=response)] * 20)

    assert [ids(each) for each in found] == [[]] * (20 - count) + [["health-for-ever"]] * count


def test_health_between_other_requests_is_no_wait() -> None:
    poll = record(**HEALTH, response='{"scheduler": {"status": "unhealthy"}}')

    assert not any(map(ids, judged(*[poll, record()] * 20)))


@pytest.mark.parametrize("fault", ["", "status"])
def test_retries_without_a_pause(fault: str) -> None:
    found = judged(*(at(number / 10, **BUSY, fault=fault) for number in range(5)))

    assert ["retry-storm" in ids(each) for each in found] == [False] * 3 + [True] * 2


def test_retries_with_a_pause() -> None:
    found = judged(*(at(number, **BUSY) for number in range(10)))

    assert not any("retry-storm" in ids(each) for each in found)


def test_retries_between_other_requests() -> None:
    others = [at(number / 10, **(BUSY if number % 2 else ENTRY)) for number in range(9)]

    assert not any("retry-storm" in ids(each) for each in judged(*others))


def test_fault_is_not_the_client_s_mistake() -> None:
    (judgment,) = judged(record(**BUSY, fault="status"))

    assert judgment.verdict == Verdict.CONFORMS
    assert judgment.reason == "The control plane made this response, with the fault status."


def test_reason_of_a_refused_request_is_first() -> None:
    path = "/api/v2/dags/etl/dagRuns/latest"
    fields = {"path": path, "operation": "v2.get_dag_run", "authorization": "basic"}
    (judgment,) = judged(record(**fields, status=404, response='{"detail": "no run"}'))

    assert ids(judgment) == ["run-alias", "basic-on-v2"]


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "", "operation": "", "status": 404},
        {"path": "/api/v2", "operation": "", "status": 404},
        {"path": "/api/v9/dags/%ff/dagRuns", "operation": "", "status": 404, "response": "<html>"},
        {"path": "/api/v1/dags/%", "query": "&&=%&limit=" + "9" * 900, "status": 599},
        {"path": "/api/v2/dags", "status": 422, "response": '{"detail": [{"loc": []}, 1]}'},
        {"path": "/api/v2/dags", "status": 422, "response": '{"detail": [{"loc": "x"}]}'},
        {"body": "[" * 4000, "response": "[" * 4000, "status": 400, "method": "POST"},
        {"response": '{"value": "' + "[" * 3900 + '"}', "operation": "v1.getXComValue"},
        {"response": '{"value": "' + "-" * 3900 + '1"}', "operation": "v1.getXComValue"},
        {
            "operation": "create_token_cli",
            "status": 422,
            "body": '{"self": 1}',
            "response": '{"detail": [{"type": "extra_forbidden", "loc": ["body", "self"]}]}',
        },
        {"operation": "v2.trigger_dag_run", "method": "POST", "body": '{"a": 1', "status": 409},
    ],
)
def test_odd_records_have_a_verdict(
    fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    (judgment,) = judged(record(**fields))

    assert judgment.verdict in Verdict
    assert not caplog.records  # no rule failed


def test_rule_that_fails_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Rule("broken", Level.HINT, "It fails.", lambda exchange, _: exchange.nothing)  # type: ignore[attr-defined]
    monkeypatch.setattr(judging, "RULES", (broken, *RULES))

    assert judged(record(**LIST))[0].verdict == Verdict.CONFORMS
    assert "The rule broken failed for request 1." in caplog.text


def test_a_full_journal_is_judged_in_a_short_time() -> None:
    records = [record(**LIST), record(**ENTRY), at(1, **BUSY), record(**HEALTH)] * 250
    started = time.process_time()
    judged(*records)

    assert time.process_time() - started < 5
