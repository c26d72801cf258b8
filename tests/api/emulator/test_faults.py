"""The operations of faults."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.emulator import FAULTS

UNAVAILABLE = {"effect": {"type": "status", "status": 503}}
ANY = {"operation": "*", "method": None, "path": "*", "client": "", "share": 1, "seed": 0}


def add(flask_client: FlaskClient, effect: Any, *, times: int | None = None, **match: Any) -> int:
    """Add a fault and return its number."""
    effect = {"type": effect} if isinstance(effect, str) else effect
    answer = flask_client.post(FAULTS, json={"match": match, "times": times, "effect": effect})
    assert answer.status_code == 201, answer.text
    number: int = answer.get_json()["number"]
    return number


def applied(client: FlaskClient) -> dict[int, int]:
    return {each["number"]: each["applied"] for each in client.get(FAULTS).get_json()["faults"]}


def statuses(client: FlaskClient, count: int, path: str = "/api/v2/version") -> list[int]:
    return [client.get(path).status_code for _ in range(count)]


def test_fault_is_created_with_the_defaults_of_all_fields(emulator: FlaskClient) -> None:
    created = emulator.post(FAULTS, json=UNAVAILABLE)
    fault = created.get_json()

    assert created.status_code == 201
    assert fault == {
        "number": fault["number"],
        "match": ANY,
        "times": None,
        "effect": {
            "type": "status",
            "status": 503,
            "retry_after": None,
            "detail": None,
            "after": False,
        },
        "applied": 0,
    }
    assert emulator.get(f"{FAULTS}/{fault['number']}").get_json() == fault
    assert emulator.get(FAULTS).get_json() == {"faults": [fault], "total_entries": 1}


def test_faults_are_removed(emulator: FlaskClient) -> None:
    first, second, third = (add(emulator, "malformed_json") for _ in range(3))

    assert emulator.delete(f"{FAULTS}/{second}").status_code == 204
    assert [*applied(emulator)] == [first, third]
    assert emulator.delete(FAULTS).status_code == 204
    assert applied(emulator) == {}
    for answer in (
        emulator.get(f"{FAULTS}/{first}"),
        emulator.delete(f"{FAULTS}/{first}"),
    ):
        assert v1.error_detail(answer, 404, "Not Found") == f"There is no fault {first}."


def test_reset_removes_faults(emulator: FlaskClient) -> None:
    add(emulator, UNAVAILABLE["effect"])

    assert emulator.post("/_emulator/reset").status_code == 204
    assert statuses(emulator, 1) == [200]


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({}, "effect"),
        ({"effect": {}}, "type"),
        (
            {"effect": {"type": "explode"}},
            'effect.type: Must be one of .*"expired_token"], not "explode',
        ),
        ({"effect": {"type": "truncate"}, "count": 5}, "count"),
        ({"effect": {"type": "malformed_json"}, "match": {"verb": "GET"}}, "match: .*verb"),
        ({"effect": {"type": "malformed_json", "bytes": 5}}, "effect: .*bytes"),
        ({"effect": {"type": "malformed_json"}, "match": {"method": "get"}}, "match.method"),
        ({"effect": {"type": "malformed_json"}, "match": {"share": 0}}, "match.share"),
        ({"effect": {"type": "malformed_json"}, "match": {"share": 1.1}}, "match.share"),
        (
            {"effect": {"type": "malformed_json"}, "times": 0},
            "times: How often the fault is applied",
        ),
        ({"effect": {"type": "status", "status": 200}}, "effect.status"),
        ({"effect": {"type": "status", "status": 503, "retry_after": -1}}, "effect.retry_after"),
        ({"effect": {"type": "latency", "seconds": 61}}, "effect.seconds"),
        ({"effect": {"type": "shifted_page", "by": 2}}, "effect.by"),
        ({"effect": {"type": "status"}}, "effect.status: status needs this field."),
        (
            {"effect": {"type": "malformed_json"}, "match": {"operation": "v1.getXComValues"}},
            "match.operation: no operation matches 'v1.getXComValues'."
            " Did you mean v1.getXComValue?",
        ),
        (
            {"effect": {"type": "malformed_json"}, "match": {"operation": "emulator.reset"}},
            "match.operation",
        ),
        ({"effect": {"type": "malformed_json"}, "match": {"operation": "live"}}, "match.operation"),
        (
            {"effect": {"type": "shifted_page"}, "match": {"operation": "v1.getXComValue"}},
            "effect.type: shifted_page is only for lists",
        ),
        ({"effect": {"type": "reset"}}, "effect.type: reset needs the worker"),
    ],
)
def test_invalid_fault_is_refused_and_the_field_is_named(
    emulator: FlaskClient, definition: Any, place: str
) -> None:
    answer = emulator.post(FAULTS, json=definition)
    detail = v1.error_detail(answer, 400) or ""

    assert any(all(part in detail for part in each.split(".*")) for each in place.split("|")), (
        detail
    )
    assert applied(emulator) == {}


def test_fault_is_applied_as_often_as_was_said(emulator: FlaskClient) -> None:
    number = add(emulator, UNAVAILABLE["effect"], times=2)

    assert statuses(emulator, 4) == [503, 503, 200, 200]
    assert applied(emulator) == {number: 2}


def test_first_fault_that_matches_is_applied_alone(emulator: FlaskClient) -> None:
    first = add(emulator, {"type": "status", "status": 502}, times=1, operation="v2.*")
    second = add(emulator, {"type": "status", "status": 503}, times=1)

    assert statuses(emulator, 1, "/api/v1/version") == [503]
    assert statuses(emulator, 2) == [502, 200]
    assert applied(emulator) == {first: 1, second: 1}


def test_fault_is_for_a_client(emulator: FlaskClient) -> None:
    add(emulator, UNAVAILABLE["effect"], client="requests")

    found = [
        emulator.get("/api/v2/version", headers={"User-Agent": name}).status_code
        for name in ("python-requests/2.32", "curl/8")
    ]
    assert found == [503, 200]


def test_share_is_the_same_after_a_reset(emulator: FlaskClient) -> None:
    runs = []
    for _ in range(2):
        emulator.post("/_emulator/reset")
        number = add(emulator, UNAVAILABLE["effect"], share=0.3, seed=7)
        runs.append(statuses(emulator, 12))

    assert runs[0] == [200, 200, 200, 503, 503, 200, 200, 503, 503, 200, 200, 200]
    assert runs[1] == runs[0]
    assert applied(emulator) == {number: 4}


@pytest.mark.parametrize("path", ["/_emulator/clock", "/live", "/ready", "/metrics"])
def test_control_plane_and_probes_have_no_faults(emulator: FlaskClient, path: str) -> None:
    add(emulator, UNAVAILABLE["effect"])

    assert emulator.get(path).status_code == 200


def test_path_without_an_operation_can_have_a_fault(emulator: FlaskClient) -> None:
    add(emulator, {"type": "status", "status": 418}, path="/nothing")

    assert statuses(emulator, 1, "/nothing") == [418]
    assert statuses(emulator, 1, "/other") == [404]


def test_journal_names_the_effect(emulator: FlaskClient) -> None:
    v1.create(emulator)
    add(emulator, "missing_total", times=1)
    for path in (v1.entry("k"), v1.entries(), v1.entries()):
        emulator.get(path)

    found = emulator.get("/_emulator/requests").get_json()["requests"]
    assert [each["fault"] for each in found] == ["", "", "missing_total", ""]


def test_fault_that_is_impossible_for_a_response_is_not_counted(emulator: FlaskClient) -> None:
    number = add(emulator, "extra_field", times=1)

    assert emulator.get("/api/v2/openapi.yaml").status_code == 200
    assert applied(emulator) == {number: 0}
    assert "added_in_a_later_release" in emulator.get("/api/v2/version").get_json()
    assert applied(emulator) == {number: 1}
    (first, second) = emulator.get("/_emulator/requests").get_json()["requests"]
    assert (first["fault"], second["fault"]) == ("", "extra_field")


def test_without_faults_nothing_is_counted(
    emulator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = emulator.application.extensions["emulator"]
    for name in ("apply_fault", "match_fault", "release_fault"):
        monkeypatch.setattr(state, name, lambda number: pytest.fail("a fault is counted"))

    assert emulator.get(v2.entries()).status_code == 200
