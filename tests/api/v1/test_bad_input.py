"""Invalid input: the response is a problem document, and nothing is stored."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

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


@pytest.mark.parametrize("name", ["x" * 251, "a\0b"])
@pytest.mark.parametrize("field", ["dag_id", "dag_run_id", "task_id"])
def test_invalid_id_in_path_is_rejected(client: FlaskClient, field: str, name: str) -> None:
    for method, path, body in (
        ("GET", entries, None),
        ("POST", entries, {"key": "k"}),
        ("GET", lambda **n: entry("k", **n), None),
    ):
        answer = client.open(
            path(**{field: name}), method=method, json={**body, "value": "v"} if body else None
        )
        assert error_detail(answer, 400) == (
            f"Invalid length or character in path parameter '{field}':"
            " 1 to 250 characters, excluding NUL."
        )
    assert stored_values(client) == {}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("key", ["x" * 513, "a\0b"])
def test_invalid_key_in_path_is_rejected(client: FlaskClient, method: str, key: str) -> None:
    body = {"value": "v"} if method == "PATCH" else None

    assert error_detail(client.open(entry(key), method=method, json=body), 400) == (
        "Invalid length or character in path parameter 'key': 1 to 512 characters, excluding NUL."
    )


@pytest.mark.parametrize("part", ["%ff", "%ed%a0%80", "%c0%af", "a%e2%82"])
def test_path_that_is_not_utf8_is_rejected(client: FlaskClient, part: str) -> None:
    raw = unquote_to_bytes(f"{entries()}/{part}").decode("latin-1")

    answer = client.open(entries(), environ_overrides={"PATH_INFO": raw})

    assert error_detail(answer, 400) == "The path of the URL is not valid UTF-8"


@pytest.mark.parametrize("query", ["limit=%ff", "%ff=1", "xcom_key=%ed%a0%80"])
def test_query_that_is_not_utf8_is_rejected(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{entries()}?{query}")

    assert error_detail(answer, 400) == "The query of the URL is not valid UTF-8"


@pytest.mark.parametrize("parameter", ["limit", "offset", "map_index"])
@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "1_0", "1.0", "1e2", "0x5", "١", "５", "--1", "true", "1\n", "9" * 4001],
)
def test_integer_parameter_takes_only_ascii_digits(
    client: FlaskClient, parameter: str, text: str
) -> None:
    answer = client.get(f"{entries()}?{parameter}={quote(text)}")

    assert error_detail(answer, 400) == (
        f"Wrong type, expected 'integer' for query parameter '{parameter}'"
    )


@pytest.mark.parametrize("parameter", ["stringify", "deserialize"])
@pytest.mark.parametrize("text", ["", "1", "0", "yes", "on", "truee", " true", "null"])
def test_boolean_parameter_takes_only_true_and_false(
    client: FlaskClient, parameter: str, text: str
) -> None:
    answer = client.get(f"{entry('k')}?{parameter}={quote(text)}")

    assert error_detail(answer, 400) == (
        f"Wrong type, expected 'boolean' for query parameter '{parameter}'"
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", entries()), ("GET", entry("k")), *WRITES, ("DELETE", entry("k"))],
    ids=["list", "get", "create", "update", "delete"],
)
def test_error_lists_unknown_parameters(client: FlaskClient, method: str, path: str) -> None:
    body = None if method in ("GET", "DELETE") else {"key": "k", "value": "v"}
    answer = client.open(f"{path}?zz=1&LIMIT=2&bogus", method=method, json=body)

    assert (
        error_detail(answer, 400, None) == "Extra query parameter(s) LIMIT, bogus, zz not in spec"
    )
    assert stored_values(client) == {}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", entries(), {"GET", "HEAD", "OPTIONS", "POST"}),
        ("DELETE", entries(), {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PUT", entry("k"), {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
        ("POST", entry("k"), {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
        ("POST", "/api/v1/health", {"GET", "HEAD", "OPTIONS"}),
    ],
    ids=["PUT entries", "DELETE entries", "PUT entry", "POST entry", "POST health"],
)
def test_disallowed_method_gets_an_allow_header(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = client.open(path, method=method, json={"key": "k", "value": "v"})

    assert_refused(answer, 405, "Method Not Allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


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
