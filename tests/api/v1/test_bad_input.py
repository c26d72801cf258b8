"""Invalid input: the response is a problem document, and nothing is stored."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.v1_calls import (
    assert_refused,
    create,
    entries,
    entry,
    error_detail,
    stored_values,
)

DEEP = 64
WRITES = [("POST", entries()), ("PATCH", entry("k"))]
FOR_EACH_WRITE = pytest.mark.parametrize(("method", "path"), WRITES, ids=["POST", "PATCH"])


def write(client: FlaskClient, method: str, path: str, body: Any, **options: Any) -> Any:
    options.setdefault("content_type", "application/json")
    return client.open(path, method=method, data=body, **options)


@FOR_EACH_WRITE
@pytest.mark.parametrize(
    "body",
    [
        "{bad",
        '{"key": "k", ',
        "'k'",
        '{"key": "k"} x',
        '{"key": "k",}',
        "null",
        " ",
        "nul",
        '{"key": "k", "value": "a\nb"}',
        '{"key": "k", "value": %s}' % ("1" * 5000),
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_malformed_body_is_rejected(client: FlaskClient, method: str, path: str, body: str) -> None:
    detail = error_detail(write(client, method, path, body), 400)

    assert detail is not None
    assert detail.startswith("Request body is not valid JSON")
    assert stored_values(client) == {}


@FOR_EACH_WRITE
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"key": "k", "value": NaN}', "NaN"),
        ('{"key": "k", "value": -Infinity}', "-Infinity"),
        ('{"key": "k", "value": 1e400}', "a number too large"),
        ('{"key": "k", "value": "a", "value": "b"}', "the duplicate key 'value'"),
        ('{"key": "k", "value": "v", "x": {"a": 1, "a": 1}}', "the duplicate key 'a'"),
        ('{"key": "k", "value": "\\ud800"}', "a lone surrogate"),
        ('{"key": "k", "value": "v", "\\udc00": 1}', "a lone surrogate"),
        (b'{"key": "k", "value": "\xff"}', "bytes that are not UTF-8"),
        (b'{"key": "k", "value": "\xed\xa0\x80"}', "bytes that are not UTF-8"),
        ('{"key": "k", "value": "v"}'.encode("utf-16"), "bytes that are not UTF-8"),
        ('{"key": "k", "value": ' + "[" * DEEP + "]" * DEEP + "}", "nesting beyond 64"),
        ("[" * (DEEP + 1) + "]" * (DEEP + 1), "nesting beyond 64"),
    ],
)
def test_ambiguous_json_body_is_rejected(
    client: FlaskClient, method: str, path: str, body: str | bytes, reason: str
) -> None:
    detail = error_detail(write(client, method, path, body), 400)

    assert detail is not None
    assert detail.startswith("Request body is not valid JSON: it contains " + reason)
    assert stored_values(client) == {}


def test_body_of_maximum_depth_is_parsed(client: FlaskClient) -> None:
    body = '{"key": "k", "value": ' + "[" * (DEEP - 1) + "]" * (DEEP - 1) + "}"

    detail = error_detail(write(client, "POST", entries(), body), 400)

    assert detail is not None
    assert "is not of type 'string' - 'value'" in detail


@FOR_EACH_WRITE
@pytest.mark.parametrize(
    ("body", "shown"),
    [("[]", "[]"), ('"str"', "'str'"), ("5", "5"), ("true", "True"), ("[1, 2]", "[1, 2]")],
)
def test_body_that_is_not_an_object_is_rejected(
    client: FlaskClient, method: str, path: str, body: str, shown: str
) -> None:
    assert (
        error_detail(write(client, method, path, body), 400) == f"{shown} is not of type 'object'"
    )


@FOR_EACH_WRITE
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_empty_body_is_rejected(
    client: FlaskClient, method: str, path: str, content_type: str | None
) -> None:
    answer = write(client, method, path, b"", content_type=content_type)

    assert error_detail(answer, 400) == "Request body must not be empty"


@FOR_EACH_WRITE
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "json",
        "application/xml",
        "text/json",
        None,
    ],
)
def test_other_media_type_is_rejected(
    client: FlaskClient, method: str, path: str, content_type: str | None
) -> None:
    answer = write(client, method, path, '{"key": "k", "value": "v"}', content_type=content_type)

    assert error_detail(answer, 415, "Unsupported Media Type") == (
        f"Invalid Content-type ({content_type or ''}), expected JSON data"
    )
    assert stored_values(client) == {}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/merge-patch+json",
    ],
)
def test_json_media_type_is_accepted(client: FlaskClient, content_type: str) -> None:
    body = "\ufeff" + '{"key": "k", "value": "v"}'

    assert write(client, "POST", entries(), body, content_type=content_type).status_code == 200


def test_malformed_body_with_a_charset_is_rejected(client: FlaskClient) -> None:
    answer = write(
        client, "POST", entries(), "{bad", content_type="application/json; charset=utf-8"
    )

    assert error_detail(answer, 400) == "Request body is not valid JSON"


@FOR_EACH_WRITE
def test_oversized_body_is_rejected(
    make_client: Callable[..., FlaskClient], method: str, path: str
) -> None:
    client = make_client(max_body_bytes=1000)
    fitting = '{"key": "k", "value": "%s"}' % ("x" * 900)

    assert_refused(
        write(client, method, path, fitting + " " * 1000), 413, "Request Entity Too Large"
    )
    assert stored_values(client) == {}
    assert write(client, "POST", entries(), fitting).status_code == 200


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "non-empty"),
        ("x" * 513, "is too long - 'key'"),
        ("a\0b", "does not match"),
        (5, "5 is not of type 'string' - 'key'"),
        (None, "None is not of type 'string' - 'key'"),
    ],
)
def test_invalid_key_is_rejected(client: FlaskClient, key: Any, words: str) -> None:
    detail = error_detail(create(client, key), 400)

    assert detail is not None
    assert words in detail
    assert len(detail) < 300
    assert stored_values(client) == {}


@FOR_EACH_WRITE
def test_body_with_too_many_members_is_rejected(
    client: FlaskClient, method: str, path: str
) -> None:
    body = {"value": "v"} | {str(number): 1 for number in range(100)}

    assert error_detail(client.open(path, method=method, json=body), 400) == (
        "Request body has 101 members, more than 100"
    )


def test_long_name_is_truncated_in_the_error(client: FlaskClient) -> None:
    detail = error_detail(create(client, "k", "v", **{"x" * 100_000: 1}), 400)

    assert detail is not None
    assert len(detail) < 2100
