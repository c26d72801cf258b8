"""A request produces every documented status, and the response matches its schema."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator
from werkzeug.test import TestResponse

from tests.support import v1_run_statuses, v1_task_statuses, v2_run_statuses
from tests.support import v2_calls as v2
from tests.support.documents import DOCUMENTS, VERSIONS, operations
from tests.support.v1_calls import create, entries, entry

HUGE = '{"key": "k", "value": "%s"}' % ("x" * 1024 * 1024)
BODY = {"key": "new", "value": "v"}
INVALID = {"key": "k", "bogus": 1}

OLD = {"If-Match": '"1"'}
NEW = {"If-None-Match": "*"}

Call = Callable[[FlaskClient], TestResponse]

V1_CALLS: dict[tuple[str, str], Call] = {
    ("getXComEntry", "200"): lambda c: c.get(entries()),
    ("getXComEntry", "400"): lambda c: c.get(entries() + "?limit=x"),
    ("getXComValue", "200"): lambda c: c.get(entry("k")),
    ("getXComValue", "400"): lambda c: c.get(entry("k") + "?stringify=x"),
    ("getXComValue", "404"): lambda c: c.get(entry("nope")),
    ("updateXComEntry", "200"): lambda c: c.post(entries(), json=BODY),
    ("updateXComEntry", "400"): lambda c: c.post(entries(), json={}),
    ("updateXComEntry", "404"): lambda c: c.post(entries("~"), json=BODY),
    ("updateXComEntry", "409"): lambda c: create(c),
    ("updateXComEntry", "412"): lambda c: c.post(
        entries(), json={"key": "k", "value": "v"}, headers=NEW
    ),
    ("updateXComEntry", "413"): lambda c: c.post(entries(), data=HUGE),
    ("updateXComEntry", "415"): lambda c: c.post(entries(), data="x"),
    ("updateXComValue", "200"): lambda c: c.patch(entry("k"), json={"value": "new"}),
    ("updateXComValue", "400"): lambda c: c.patch(entry("k"), json={}),
    ("updateXComValue", "404"): lambda c: c.patch(entry("nope"), json={"value": "new"}),
    ("updateXComValue", "412"): lambda c: c.patch(entry("k"), json={"value": "n"}, headers=OLD),
    ("updateXComValue", "413"): lambda c: c.patch(entry("k"), data=HUGE),
    ("updateXComValue", "415"): lambda c: c.patch(entry("k"), data="x"),
    ("deleteXComValue", "204"): lambda c: c.delete(entry("k")),
    ("deleteXComValue", "400"): lambda c: c.delete(entry("k") + "?x=1"),
    ("deleteXComValue", "404"): lambda c: c.delete(entry("nope")),
    ("deleteXComValue", "412"): lambda c: c.delete(entry("k"), headers=OLD),
    ("get_health", "200"): lambda c: c.get("/api/v1/health"),
    ("get_version", "200"): lambda c: c.get("/api/v1/version"),
}
V2_CALLS: dict[tuple[str, str], Call] = {
    ("get_xcom_entries", "200"): lambda c: c.get(v2.entries()),
    ("get_xcom_entries", "400"): lambda c: c.get(v2.entries() + "?order_by=x"),
    ("get_xcom_entries", "422"): lambda c: c.get(v2.entries() + "?limit=x"),
    ("get_xcom_entry", "200"): lambda c: c.get(v2.entry("k")),
    ("get_xcom_entry", "400"): lambda c: c.get(v2.entry("k") + "?x=%ff"),
    ("get_xcom_entry", "404"): lambda c: c.get(v2.entry("nope")),
    ("get_xcom_entry", "422"): lambda c: c.get(v2.entry("k") + "?stringify=x"),
    ("create_xcom_entry", "201"): lambda c: c.post(v2.entries(), json=BODY),
    ("create_xcom_entry", "400"): lambda c: c.post(v2.entries() + "?x=%ff", json=BODY),
    ("create_xcom_entry", "404"): lambda c: c.post(v2.entries("~"), json=BODY),
    ("create_xcom_entry", "409"): lambda c: v2.create(c),
    ("create_xcom_entry", "412"): lambda c: c.post(
        v2.entries(), json={"key": "k", "value": 1}, headers=NEW
    ),
    ("create_xcom_entry", "413"): lambda c: c.post(v2.entries(), data=HUGE),
    ("create_xcom_entry", "422"): lambda c: c.post(v2.entries(), json=INVALID),
    ("update_xcom_entry", "200"): lambda c: c.patch(v2.entry("k"), json={"value": 1}),
    ("update_xcom_entry", "400"): lambda c: c.patch(v2.entry("k") + "?x=%ff", json={"value": 1}),
    ("update_xcom_entry", "404"): lambda c: c.patch(v2.entry("nope"), json={"value": 1}),
    ("update_xcom_entry", "412"): lambda c: c.patch(v2.entry("k"), json={"value": 1}, headers=OLD),
    ("update_xcom_entry", "413"): lambda c: c.patch(v2.entry("k"), data=HUGE),
    ("update_xcom_entry", "422"): lambda c: c.patch(v2.entry("k"), json=INVALID),
    ("delete_xcom_entry", "204"): lambda c: c.delete(v2.entry("k")),
    ("delete_xcom_entry", "400"): lambda c: c.delete(v2.entry("k") + "?x=%ff"),
    ("delete_xcom_entry", "404"): lambda c: c.delete(v2.entry("nope")),
    ("delete_xcom_entry", "412"): lambda c: c.delete(v2.entry("k"), headers=OLD),
    ("delete_xcom_entry", "422"): lambda c: c.delete(v2.entry("k") + "?map_index=x"),
    ("get_health", "200"): lambda c: c.get("/api/v2/monitor/health"),
    ("get_version", "200"): lambda c: c.get("/api/v2/version"),
}
CALLS = {
    "v1": V1_CALLS | v1_run_statuses.RUN_CALLS | v1_task_statuses.TASK_CALLS,
    "v2": V2_CALLS | v2_run_statuses.RUN_CALLS,
}

ALLOWED = {"v1": {"200", "204"}, "v2": {"200", "201", "204"}}
REFUSALS = {"401", "403", "429"}
"""Statuses without credentials, without permission, and after too many wrong passwords."""

OUTAGE = "503"
"""The status without a database."""

TOO_LARGE = "507"
"""The status of a response above the maximum size."""

NEVER = {("get_xcom_entries", "404")}
"""Statuses that Airflow documents and never returns: an empty list is a 200."""


UNFINISHED = {"Task Instance", "DAG", "Task", "Import Error"}
"""The tags in v2 of the operations whose calls are not in CALLS yet."""


def documented(version: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (operation["operationId"], status): response
        for _, _, operation in operations(version)
        for status, response in operation["responses"].items()
        if version == "v1" or not UNFINISHED.intersection(operation["tags"])
    }


def resolved(version: str, response: dict[str, Any]) -> dict[str, Any]:
    reference = response.get("$ref", "").removeprefix("#/components/responses/")
    return DOCUMENTS[version]["components"]["responses"][reference] if reference else response


def assert_matches_document(version: str, operation: str, answer: TestResponse) -> None:
    """Assert that a response matches the schema of its status in the document."""
    response = resolved(version, documented(version)[operation, str(answer.status_code)])
    content = response.get("content", {})
    assert (answer.mimetype in content) == bool(answer.data and answer.mimetype)
    if content:
        schema = {
            **content[answer.mimetype]["schema"],
            "components": DOCUMENTS[version]["components"],
        }
        OAS30Validator(schema).validate(answer.get_json())


@pytest.mark.parametrize("version", VERSIONS)
def test_calls_cover_exactly_the_documented_statuses(version: str) -> None:
    refusable = {
        (operation, status)
        for operation, status in documented(version)
        if status in REFUSALS | {OUTAGE, TOO_LARGE}
    }

    assert CALLS[version].keys() | refusable | NEVER == documented(version).keys() | NEVER
    assert {operation for operation, _ in refusable} == {
        operation for operation, _ in documented(version)
    } - {"get_health", "get_version"}


@pytest.mark.parametrize(
    ("version", "operation", "status"),
    [(version, *call) for version in VERSIONS for call in CALLS[version]],
)
def test_documented_status_matches_its_schema(
    client: FlaskClient, version: str, operation: str, status: str, count_case: Callable[..., None]
) -> None:
    create(client)

    answer = CALLS[version][operation, status](client)

    assert str(answer.status_code) == status
    assert_matches_document(version, operation, answer)
    count_case(f"statuses of the {version} document, each produced once")


@pytest.mark.parametrize(
    ("version", "operation", "status"),
    [
        (version, operation, status)
        for version in VERSIONS
        for operation, status in documented(version)
        if status in REFUSALS
    ],
)
def test_access_error_matches_its_schema(
    make_client: Callable[..., FlaskClient],
    users_file: Path,
    version: str,
    operation: str,
    status: str,
    count_case: Callable[..., None],
) -> None:
    client = make_client(auth="users", users_file=str(users_file))
    call = next(
        call
        for (name, good), call in CALLS[version].items()
        if name == operation and good in ALLOWED[version]
    )
    credentials = {"v1": f"Basic {b64encode(b'public:public').decode()}", "v2": "Bearer abc"}
    if status == "429":
        credentials["v1"] = f"Basic {b64encode(b'public:wrong').decode()}"
        for _ in range(10):
            client.get(entries(), headers={"Authorization": credentials["v1"]})
    if status != "401":
        client.environ_base["HTTP_AUTHORIZATION"] = credentials[version]

    answer = call(client)
    while status == "429" and answer.status_code == 401:  # 1 s has passed; the next wait is longer
        answer = call(client)

    assert str(answer.status_code) == status
    assert_matches_document(version, operation, answer)
    count_case(f"statuses of the {version} document, each produced once")


@pytest.mark.parametrize(
    ("version", "operation"),
    [
        (version, operation)
        for version in VERSIONS
        for operation, status in documented(version)
        if status == OUTAGE
    ],
)
def test_every_operation_without_a_database_is_a_503(
    make_client: Callable[..., FlaskClient],
    database_url: str,
    version: str,
    operation: str,
    count_case: Callable[..., None],
) -> None:
    client = make_client()
    create(client)
    call = next(
        call
        for (name, good), call in CALLS[version].items()
        if name == operation and good in ALLOWED[version]
    )
    Path(database_url.removeprefix("sqlite:///")).unlink()

    answer = call(client)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert_matches_document(version, operation, answer)
    count_case(f"statuses of the {version} document, each produced once")


@pytest.mark.parametrize(
    ("version", "operation"),
    [
        (version, operation)
        for version in VERSIONS
        for operation, status in documented(version)
        if status == TOO_LARGE
    ],
)
def test_every_response_has_a_maximum_size(
    client: FlaskClient,
    make_client: Callable[..., FlaskClient],
    version: str,
    operation: str,
    count_case: Callable[..., None],
) -> None:
    create(client)
    call = next(
        call
        for (name, good), call in CALLS[version].items()
        if name == operation and good in ALLOWED[version]
    )

    answer = call(make_client(max_response_bytes=1))

    assert answer.status_code == 507
    assert_matches_document(version, operation, answer)
    assert answer.get_json()["detail"].startswith("The response would be larger than 1 bytes")
    count_case(f"statuses of the {version} document, each produced once")
