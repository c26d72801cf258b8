"""Invalid paths and query parameters: the response is a problem document."""

from urllib.parse import quote, unquote_to_bytes

import pytest
from flask.testing import FlaskClient

from tests.support.v1_calls import (
    assert_refused,
    entries,
    entry,
    error_detail,
    stored_values,
)

WRITES = [("POST", entries()), ("PATCH", entry("k"))]


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
