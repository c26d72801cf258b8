"""Every documented status is produced, in the documented shape."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator
from werkzeug.test import TestResponse

from tests.api.v1.calls import create, entries, entry
from tests.contract.document import DOCUMENT, operations

WAIT_FOR_USERS = {"401", "403"}
HUGE = '{"key": "k", "value": "%s"}' % ("x" * 1024 * 1024)
BODY = {"key": "new", "value": "v"}

Call = Callable[[FlaskClient], TestResponse]

CALLS: dict[tuple[str, str], Call] = {
    ("getXComEntry", "200"): lambda c: c.get(entries()),
    ("getXComEntry", "400"): lambda c: c.get(entries() + "?limit=x"),
    ("getXComValue", "200"): lambda c: c.get(entry("k")),
    ("getXComValue", "400"): lambda c: c.get(entry("k") + "?stringify=x"),
    ("getXComValue", "404"): lambda c: c.get(entry("nope")),
    ("updateXComEntry", "200"): lambda c: c.post(entries(), json=BODY),
    ("updateXComEntry", "400"): lambda c: c.post(entries(), json={}),
    ("updateXComEntry", "404"): lambda c: c.post(entries("~"), json=BODY),
    ("updateXComEntry", "409"): lambda c: create(c),
    ("updateXComEntry", "413"): lambda c: c.post(entries(), data=HUGE),
    ("updateXComEntry", "415"): lambda c: c.post(entries(), data="x"),
    ("updateXComValue", "200"): lambda c: c.patch(entry("k"), json={"value": "new"}),
    ("updateXComValue", "400"): lambda c: c.patch(entry("k"), json={}),
    ("updateXComValue", "404"): lambda c: c.patch(entry("nope"), json={"value": "new"}),
    ("updateXComValue", "413"): lambda c: c.patch(entry("k"), data=HUGE),
    ("updateXComValue", "415"): lambda c: c.patch(entry("k"), data="x"),
    ("deleteXComValue", "204"): lambda c: c.delete(entry("k")),
    ("deleteXComValue", "400"): lambda c: c.delete(entry("k") + "?x=1"),
    ("deleteXComValue", "404"): lambda c: c.delete(entry("nope")),
    ("get_health", "200"): lambda c: c.get("/api/v1/health"),
    ("get_version", "200"): lambda c: c.get("/api/v1/version"),
}


def documented() -> dict[tuple[str, str], dict[str, Any]]:
    return {(operation["operationId"], status): response
            for _, _, operation in operations()
            for status, response in operation["responses"].items()
            if status not in WAIT_FOR_USERS}


def resolved(response: dict[str, Any]) -> dict[str, Any]:
    reference = response.get("$ref", "").removeprefix("#/components/responses/")
    return DOCUMENT["components"]["responses"][reference] if reference else response


def test_every_documented_status_has_a_call_and_the_reverse() -> None:
    assert CALLS.keys() == documented().keys()


@pytest.mark.parametrize(("operation", "status"), CALLS)
def test_a_documented_status_is_produced_in_its_shape(
        client: FlaskClient, operation: str, status: str,
        count_case: Callable[..., None]) -> None:
    create(client)
    response = resolved(documented()[operation, status])

    answer = CALLS[operation, status](client)

    assert str(answer.status_code) == status
    content = response.get("content", {})
    assert (answer.mimetype in content) == bool(answer.data)
    if content:
        schema = {**content[answer.mimetype]["schema"], "components": DOCUMENT["components"]}
        OAS30Validator(schema).validate(answer.get_json())
    count_case("statuses of the document, each produced once")
