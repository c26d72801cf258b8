"""Errors of v2 are exceptions in the clients that Airflow publishes, and change nothing."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import xcom_server
from xcom_server.testing import XcomServer

from tests.support.official import OfficialClient, only
from tests.support.official_v2 import ITEM, create

pytestmark = pytest.mark.clients

READING: dict[str, dict[str, Any]] = {"get_xcom_entry": {"xcom_key": "k"}, "get_xcom_entries": {}}
WRITING: dict[str, dict[str, Any]] = {
    "create_xcom_entry": {"x_com_create_body": {"key": "new", "value": "new"}},
    "update_xcom_entry": {"xcom_key": "k", "x_com_update_body": {"value": "new"}},
    "delete_xcom_entry": {"xcom_key": "k"},
}
CALLS = {**READING, **WRITING}
"""Calls -> their arguments besides the ids of a task."""
NO_ENTRY = "The XCom with key: `nothing` with mentioned task instance doesn't exist."


def of_each(calls: Iterable[str]) -> pytest.MarkDecorator:
    """Return a mark that runs a test with each call and client; 3.0.2 cannot delete."""
    return pytest.mark.parametrize(
        ("official", "call"),
        [
            (version, call)
            for version in ITEM
            for call in calls
            if (version, call) != ("3.0.2", "delete_xcom_entry")
        ],
        indirect=["official"],
    )


def refused(official: OfficialClient, call: str, **options: Any) -> tuple[str, int, Any]:
    """Make a call that fails; return the client's exception, its status and the detail."""
    error = official.ask(call, **options)["error"]
    assert error, f"{call} {options} was not refused"
    return error["name"], error["status"], json.loads(error["text"])["detail"]


@pytest.fixture
def unchanged_entry(official: OfficialClient, place: dict[str, str]) -> Iterator[None]:
    """Store an entry `k`; assert at the end that it is unchanged and the only one."""
    created = create(official, place, key="k", value="old")
    yield
    assert official.read("get_xcom_entry", **place, xcom_key="k") == created
    assert official.read("get_xcom_entries", **place)["total_entries"] == 1


@of_each(CALLS)
@pytest.mark.parametrize(
    ("token", "exception", "status", "detail"),
    [
        (None, "UnauthorizedException", 401, "Not authenticated"),
        ("garbage", "ForbiddenException", 403, "Invalid JWT token"),
    ],
)
@pytest.mark.usefixtures("unchanged_entry")
def test_missing_or_invalid_token_is_rejected(
    official: OfficialClient,
    call: str,
    place: dict[str, str],
    token: str | None,
    exception: str,
    status: int,
    detail: str,
) -> None:
    client = official.configured(access_token=token)
    assert refused(client, call, **place, **CALLS[call]) == (exception, status, detail)


@of_each(CALLS)
@pytest.mark.usefixtures("unchanged_entry")
def test_tampered_token_is_forbidden(
    official: OfficialClient, guarded: XcomServer, call: str, place: dict[str, str]
) -> None:
    head, payload, signature = guarded.token("user", "user").split(".")
    forged = official.configured(access_token=f"{head}.{payload}.{signature[::-1]}")
    assert refused(forged, call, **place, **CALLS[call]) == (
        "ForbiddenException",
        403,
        "Invalid JWT token",
    )


@pytest.mark.usefixtures("unchanged_entry")
def test_viewer_can_read(
    official: OfficialClient, guarded: XcomServer, place: dict[str, str]
) -> None:
    viewer = official.configured(access_token=guarded.token("viewer", "viewer"))
    for call, options in READING.items():
        assert viewer.read(call, **place, **options) == official.read(call, **place, **options)


@of_each(WRITING)
@pytest.mark.usefixtures("unchanged_entry")
def test_viewer_cannot_write(
    official: OfficialClient, guarded: XcomServer, call: str, place: dict[str, str]
) -> None:
    viewer = official.configured(access_token=guarded.token("viewer", "viewer"))
    assert refused(viewer, call, **place, **CALLS[call]) == ("ForbiddenException", 403, "Forbidden")


@pytest.fixture(scope="module")
def short_lived() -> Iterator[XcomServer]:
    """Yield a server whose tokens are valid for one minute."""
    with xcom_server.running(users="admin:admin:admin", token_lifetime_seconds=60) as server:
        yield server


@pytest.fixture(scope="module")
def expired_token(short_lived: XcomServer) -> str:
    """Return a token that has expired."""
    token = short_lived.token()
    short_lived.advance(61)
    return token


@of_each(CALLS)
def test_expired_token_raises_unauthorized_exception(
    official: OfficialClient,
    short_lived: XcomServer,
    expired_token: str,
    call: str,
    place: dict[str, str],
) -> None:
    late = official.configured(host=short_lived.url, access_token=expired_token)
    assert refused(late, call, **place, **CALLS[call]) == (
        "UnauthorizedException",
        401,
        "Token Expired",
    )


@of_each(["get_xcom_entry", "update_xcom_entry", "delete_xcom_entry"])
@pytest.mark.parametrize(
    "changes",
    [
        {"xcom_key": "nothing"},
        {"dag_id": "nowhere", "xcom_key": "nothing"},
        {"dag_run_id": "nowhere", "xcom_key": "nothing"},
        {"task_id": "nowhere", "xcom_key": "nothing"},
    ],
)
@pytest.mark.usefixtures("unchanged_entry")
def test_missing_entry_is_not_found(
    official: OfficialClient, call: str, place: dict[str, str], changes: dict[str, Any]
) -> None:
    detail = "XCom entry with key: `nothing` not found" if call == "get_xcom_entry" else NO_ENTRY
    assert refused(official, call, **{**place, **CALLS[call], **changes}) == (
        "NotFoundException",
        404,
        detail,
    )


@of_each(["get_xcom_entry", "update_xcom_entry", "delete_xcom_entry"])
@pytest.mark.usefixtures("unchanged_entry")
def test_entry_with_another_map_index_is_not_found(
    official: OfficialClient, call: str, place: dict[str, str]
) -> None:
    options: dict[str, Any]
    if call == "update_xcom_entry":
        options = {"xcom_key": "k", "x_com_update_body": {"value": "new", "map_index": 0}}
    else:
        options = {"xcom_key": "k", "map_index": 0}
    assert refused(official, call, **place, **options)[:2] == ("NotFoundException", 404)


def test_entry_cannot_be_created_in_dag_tilde(
    official: OfficialClient, place: dict[str, str]
) -> None:
    assert refused(
        official,
        "create_xcom_entry",
        **{**place, "dag_id": "~"},
        x_com_create_body={"key": "k", "value": 1},
    ) == ("NotFoundException", 404, "The Dag with ID: `~` was not found")


@pytest.mark.usefixtures("unchanged_entry")
def test_existing_entry_raises_conflict_exception(
    official: OfficialClient, place: dict[str, str]
) -> None:
    assert refused(
        official, "create_xcom_entry", **place, x_com_create_body={"key": "k", "value": "new"}
    ) == (
        "ConflictException",
        409,
        "The XCom with key: `k` with mentioned task instance already exists.",
    )


@pytest.mark.parametrize(
    ("body", "field", "kind"),
    [
        ({"key": ""}, "key", "string_too_short"),
        ({"key": "k" * 513}, "key", "string_too_long"),
        ({"map_index": -2}, "map_index", "greater_than_equal"),
        ({"value": {"a": [{"__classname__": "x"}]}}, "value", "value_error"),
    ],
)
@pytest.mark.usefixtures("unchanged_entry")
def test_invalid_body_is_an_unprocessable_entity(
    official: OfficialClient, place: dict[str, str], body: dict[str, Any], field: str, kind: str
) -> None:
    name, status, errors = refused(
        official, "create_xcom_entry", **place, x_com_create_body={"key": "new", "value": 1, **body}
    )
    assert (name, status) == ("UnprocessableEntityException", 422)
    assert [(error["type"], error["loc"]) for error in errors] == [(kind, ["body", field])]


@only("3.3.2")
def test_date_without_time_zone_is_an_unprocessable_entity(
    official: OfficialClient, place: dict[str, str]
) -> None:
    name, status, errors = refused(
        official, "get_xcom_entries", **place, run_after_gt="2024-01-01T00:00:00"
    )
    assert (name, status) == ("UnprocessableEntityException", 422)
    assert [(error["type"], error["loc"]) for error in errors] == [
        ("timezone_aware", ["query", "run_after_gt"])
    ]


@only("3.3.2")
@pytest.mark.parametrize("order_by", [["value"], ["key", "logical_date"], ["Key"]])
def test_invalid_order_by_is_a_bad_request(
    official: OfficialClient, place: dict[str, str], order_by: list[str]
) -> None:
    assert refused(official, "get_xcom_entries", **place, order_by=order_by) == (
        "BadRequestException",
        400,
        f"Ordering with '{order_by[-1]}' is disallowed or the"
        " attribute does not exist on the model",
    )
