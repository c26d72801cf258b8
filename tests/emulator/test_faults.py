"""Definitions of faults, and the requests that they match."""

from typing import Any

import pytest
from xcom_server.emulator.faults import EFFECTS, Fault, InvalidFault, Operation, Request, complete
from xcom_server.storage.emulator import StoredFault

READ = frozenset({"GET", "HEAD", "OPTIONS"})
V1 = Operation("v1.getXComValue", READ, has_login=True)
V2 = Operation("v2.get_xcom_entry", READ, has_login=True)
LIST = Operation("v2.get_xcom_entries", READ, is_list=True, has_login=True)
WRITE = Operation("v2.create_xcom_entry", frozenset({"POST"}), has_login=True)
HEALTH = Operation("v2.get_health", READ)
LOGIN = Operation("create_token", frozenset({"POST"}))
OPERATIONS = (V1, V2, LIST, WRITE, HEALTH, LOGIN)

GET_V1 = Request(V1, "GET", "/api/v1/dags/etl/x", "OpenAPI-Generator/2.10.0/python")

REQUIRED: dict[str, dict[str, Any]] = {"status": {"status": 503}, "latency": {"seconds": 1}}


def defined(effect: str = "malformed_json", *, times: int | None = None, **match: Any) -> Any:
    definition = {
        "match": match,
        "times": times,
        "effect": {"type": effect, **REQUIRED.get(effect, {})},
    }
    return complete(definition, OPERATIONS, has_worker=True)


def fault(*arguments: Any, applied: int = 0, **options: Any) -> Fault:
    return Fault.of(StoredFault(1, defined(*arguments, **options), applied))


def refusal(effect: Any, *, has_worker: bool = True, **match: Any) -> str:
    effect = effect if isinstance(effect, dict) else {"type": effect, **REQUIRED.get(effect, {})}
    with pytest.raises(InvalidFault) as refused:
        complete({"match": match, "effect": effect}, OPERATIONS, has_worker=has_worker)
    return str(refused.value)


@pytest.mark.parametrize("effect", EFFECTS)
def test_every_effect_is_completed_with_its_defaults(effect: str) -> None:
    found = defined(effect)["effect"]

    kind = EFFECTS[effect]
    assert found == {"type": effect, **kind.defaults, **REQUIRED.get(effect, {})}
    assert defined(effect)["match"] == {
        "operation": "*",
        "method": None,
        "path": "*",
        "client": "",
        "share": 1,
        "seed": 0,
    }


@pytest.mark.parametrize(
    ("match", "is_matched"),
    [
        ({}, True),
        ({"operation": "v1.getXComValue"}, True),
        ({"operation": "getXComValue"}, True),
        ({"operation": "get*Value"}, True),
        ({"operation": "v1.*"}, True),
        ({"operation": "v2.*"}, False),
        ({"operation": "get_xcom_entry"}, False),
        ({"method": "GET"}, True),
        ({"method": "POST"}, False),
        ({"path": "/api/v1/*"}, True),
        ({"path": "*/etl/*"}, True),
        ({"path": "/api/v1"}, False),
        ({"path": "/API/v1/*"}, False),
        ({"client": "2.10.0"}, True),
        ({"client": "OpenAPI-Generator/2.10.0/python"}, True),
        ({"client": "openapi"}, True),
        ({"client": "openapi/"}, False),
        ({"operation": "v1.*", "method": "GET", "path": "/api/*", "client": "python"}, True),
        ({"operation": "v1.*", "method": "GET", "path": "/api/*", "client": "requests"}, False),
    ],
)
def test_match_is_by_operation_method_path_and_client(
    match: dict[str, Any], is_matched: bool
) -> None:
    assert fault(**match).matches(GET_V1) is is_matched


def test_request_to_no_operation_is_matched_by_its_path() -> None:
    request = Request(Operation(""), "PUT", "/nothing", "")

    assert fault("status", path="/nothi*").matches(request)
    assert fault("status", method="PUT").matches(request)
    assert not fault("status", operation="v1.*").matches(request)


@pytest.mark.parametrize(
    ("effect", "operation", "method"),
    [
        ("missing_total", V2, "GET"),
        ("shifted_page", HEALTH, "GET"),
        ("expired_token", HEALTH, "GET"),
        ("expired_token", LOGIN, "POST"),
        ("truncate", V1, "HEAD"),
        ("malformed_json", V1, "HEAD"),
        ("extra_field", V1, "HEAD"),
    ],
)
def test_request_for_which_an_effect_is_impossible_is_not_matched(
    effect: str, operation: Operation, method: str
) -> None:
    assert not fault(effect).matches(Request(operation, method, "/", ""))
    assert fault(effect).matches(Request(LIST, "GET", "/", ""))


def test_spent_fault_matches_nothing() -> None:
    assert fault(times=2, applied=1).matches(GET_V1)
    assert not fault(times=2, applied=2).matches(GET_V1)
    assert fault(applied=1000).matches(GET_V1)


def test_share_is_of_the_requests_that_match_and_the_same_in_every_process() -> None:
    third = fault(share=0.3, seed=7)
    drawn = [third.is_drawn(position) for position in range(1000)]

    assert drawn[:12] == [fault(share=0.3, seed=7).is_drawn(each) for each in range(12)]
    assert "".join("01"[each] for each in drawn[:12]) == "000110011000"
    assert 250 < sum(drawn) < 350
    assert drawn != [fault(share=0.3, seed=8).is_drawn(each) for each in range(1000)]
    assert all(fault(share=1).is_drawn(each) for each in range(1000))


@pytest.mark.parametrize(
    ("effect", "match", "text"),
    [
        (
            {"type": "status"},
            {},
            "effect.status: status needs this field.",
        ),
        (
            {"type": "status", "status": 503, "seconds": 1},
            {},
            "effect.seconds: status has no such field (only status, retry_after, detail, after).",
        ),
        (
            {"type": "truncate", "after": True},
            {},
            "effect.after: truncate has no such field (none).",
        ),
        (
            {"type": "content_type", "value": 5},
            {},
            "effect.value: must be a media type, such as text/html.",
        ),
        (
            {"type": "content_type", "value": "text/html\r\nSet-Cookie: a=b"},
            {},
            "effect.value: must be a media type, such as text/html.",
        ),
        (
            "reset",
            {"operation": "v1.getXcomValue"},
            "match.operation: no operation matches 'v1.getXcomValue'."
            " Did you mean v1.getXComValue?",
        ),
        ("reset", {"operation": "zzz"}, "match.operation: no operation matches 'zzz'."),
        (
            "reset",
            {"operation": "get_xcom_entry", "method": "POST"},
            "match.method: 'get_xcom_entry' has no POST, only GET, HEAD, OPTIONS.",
        ),
        (
            "reset",
            {"path": "api/v1/*"},
            "match.path: a path begins with / and contains no host.",
        ),
        (
            "reset",
            {"path": "/_emulator/reset"},
            "match.path: the control plane and the probes have no faults.",
        ),
        (
            "reset",
            {"path": "/live"},
            "match.path: the control plane and the probes have no faults.",
        ),
        (
            "truncate",
            {"method": "HEAD"},
            "match.method: truncate needs a body, and responses to HEAD have none.",
        ),
        (
            "missing_total",
            {"operation": "get_xcom_entry"},
            "effect.type: missing_total is only for lists; match.operation has none.",
        ),
        (
            "expired_token",
            {"operation": "v2.get_health"},
            "effect.type: expired_token is only for operations that need credentials;"
            " match.operation has none.",
        ),
    ],
)
def test_refusal_names_the_field(effect: Any, match: dict[str, Any], text: str) -> None:
    assert refusal(effect, **match) == text


@pytest.mark.parametrize("effect", ["latency", "reset", "truncate"])
def test_effect_on_the_connection_needs_the_servers_own_worker(effect: str) -> None:
    assert refusal(effect, has_worker=False) == (
        f"effect.type: {effect} needs the worker of `xcom-server serve`, which this server does not"
        " have."
    )
