"""Invalid input: the response has FastAPI's error format, and nothing is stored."""

from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import pytest
from flask.testing import FlaskClient

from tests.support.v2_calls import create, entries, entry, error_detail, stored_values

FOR_EACH_WRITE = pytest.mark.parametrize(
    ("method", "path"), [("POST", entries()), ("PATCH", entry("k"))], ids=["POST", "PATCH"]
)


def write(client: FlaskClient, method: str, path: str, body: Any, **options: Any) -> Any:
    options.setdefault("content_type", "application/json")
    return client.open(path, method=method, data=body, **options)


@FOR_EACH_WRITE
@pytest.mark.parametrize(
    ("body", "position", "reason"),
    [
        ("{bad", 1, "Expecting property name enclosed in double quotes"),
        ("[1] x", 4, "Extra data"),
        ('\ufeff{"key": ', 8, "Expecting value"),
        (" ", 1, "Expecting value"),
        ('{"a": "\n"}', 7, "Invalid control character at"),
        ('{"a": "b', 6, "Unterminated string starting at"),
    ],
)
def test_error_gives_the_position_of_malformed_json(
    client: FlaskClient, method: str, path: str, body: str, position: int, reason: str
) -> None:
    assert error_detail(write(client, method, path, body), 422) == [
        {
            "type": "json_invalid",
            "loc": ["body", position],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": reason},
        }
    ]


@FOR_EACH_WRITE
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"key": "k", "value": NaN}', "it contains NaN, which is not valid in JSON"),
        ('{"key": "k", "value": [-Infinity]}', "it contains -Infinity, which is not valid in JSON"),
        ('{"key": "k", "value": 1e400}', "it contains a number too large for a float"),
        (
            '{"key": "k", "value": "\\ud800"}',
            "it contains a lone surrogate, which is not a character",
        ),
    ],
)
def test_json_that_only_some_parsers_accept_is_rejected(
    client: FlaskClient, method: str, path: str, body: str, reason: str
) -> None:
    errors = error_detail(write(client, method, path, body), 422)

    assert [(each["type"], each["ctx"]) for each in errors] == [("json_invalid", {"error": reason})]
    assert stored_values(client) == {}


@FOR_EACH_WRITE
@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"value": ' + "[" * 64 + "]" * 64 + "}",
        b'{"value": "\xff"}',
        '{"value": "v"}'.encode("utf-16"),
        '{"value": %s}' % ("1" * 5000),
    ],
)
def test_unreadable_body_is_rejected(
    client: FlaskClient, method: str, path: str, body: str | bytes
) -> None:
    detail = error_detail(write(client, method, path, body), 400)

    assert detail == "There was an error parsing the body"


@FOR_EACH_WRITE
@pytest.mark.parametrize(
    ("body", "content_type", "given"),
    [
        ("[]", "application/json", []),
        ('"x"', "application/json", "x"),
        ("5", "application/json", 5),
        ('{"value": 1}', "text/plain", '{"value": 1}'),
        ('{"value": 1}', None, '{"value": 1}'),
        ("value=1", "application/x-www-form-urlencoded", "value=1"),
        ("\ufffd", "text/json", "\ufffd"),
    ],
)
def test_body_that_is_not_an_object_is_rejected(
    client: FlaskClient, method: str, path: str, body: str, content_type: str | None, given: Any
) -> None:
    answer = write(client, method, path, body, content_type=content_type)

    assert error_detail(answer, 422) == [
        {
            "type": "model_attributes_type",
            "loc": ["body"],
            "input": given,
            "msg": "Input should be a valid dictionary or object to extract fields from",
        }
    ]


@FOR_EACH_WRITE
@pytest.mark.parametrize("body", [b"", b"null"])
def test_missing_body_is_rejected(client: FlaskClient, method: str, path: str, body: bytes) -> None:
    assert error_detail(write(client, method, path, body), 422) == [
        {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/merge-patch+json",
        "application/vnd.api+json",
    ],
)
def test_json_media_type_is_accepted(client: FlaskClient, content_type: str) -> None:
    body = "\ufeff" + '{"key": "k", "value": "v"}'

    assert write(client, "POST", entries(), body, content_type=content_type).status_code == 201


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, [("missing", "key"), ("missing", "value")]),
        ({"value": 1}, [("missing", "key")]),
        ({"key": None, "value": 1}, [("string_type", "key")]),
        (
            {"key": 5, "value": 1, "map_index": "x", "b": 1, "a": 2},
            [
                ("string_type", "key"),
                ("int_parsing", "map_index"),
                ("extra_forbidden", "a"),
                ("extra_forbidden", "b"),
            ],
        ),
        ({"key": "", "value": 1}, [("string_too_short", "key")]),
        ({"key": "x" * 513, "value": 1}, [("string_too_long", "key")]),
        ({"key": "a\0b", "value": 1}, [("string_pattern_mismatch", "key")]),
        ({"key": "k", "value": 1, "map_index": 3.5}, [("int_from_float", "map_index")]),
        ({"key": "k", "value": 1, "map_index": None}, [("int_type", "map_index")]),
        ({"key": "k", "value": 1, "map_index": -2}, [("greater_than_equal", "map_index")]),
        ({"key": "k", "value": 1, "map_index": 2**31}, [("less_than_equal", "map_index")]),
        ({"key": "k", "value": {"a": ["\0"]}}, [("value_error", "value")]),
        ({"key": "k", "value": {"\0": 1}}, [("value_error", "value")]),
        (
            {"value": {"__var": 1}, "x": 1},
            [("missing", "key"), ("value_error", "value"), ("extra_forbidden", "x")],
        ),
    ],
)
def test_all_errors_of_a_body_are_reported_together(
    client: FlaskClient, body: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    errors = error_detail(client.post(entries(), json=body), 422)

    assert [(each["type"], each["loc"][1]) for each in errors] == found
    assert stored_values(client) == {}


def test_text_that_only_looks_like_an_escaped_nul_is_accepted(client: FlaskClient) -> None:
    body = r'{"key": "k", "value": "\\u0000"}'

    assert write(client, "POST", entries(), body).status_code == 201
    assert stored_values(client) == {"k": r"\u0000"}


@pytest.mark.parametrize("field", ["key", "timestamp", "dag_id"])
def test_update_accepts_only_value_and_map_index(client: FlaskClient, field: str) -> None:
    create(client, "k", "old")

    errors = error_detail(client.patch(entry("k"), json={"value": 1, field: "k"}), 422)

    assert errors == [
        {
            "type": "extra_forbidden",
            "loc": ["body", field],
            "msg": "Extra inputs are not permitted",
            "input": "k",
        }
    ]
    assert stored_values(client) == {"k": "old"}


def test_at_most_100_errors_are_reported(client: FlaskClient) -> None:
    errors = error_detail(client.post(entries(), json={f"x{n}": n for n in range(5000)}), 422)

    assert len(errors) == 100


def test_errors_of_path_query_and_body_are_reported_together(client: FlaskClient) -> None:
    listed = error_detail(client.get(entries("a\0") + "?map_index=x&limit=-1&offset=y"), 422)
    patched = error_detail(client.patch(entry("a\0b"), json={}), 422)

    assert [each["loc"] for each in listed] == [
        ["path", "dag_id"],
        ["query", "limit"],
        ["query", "offset"],
        ["query", "map_index"],
    ]
    assert [each["loc"] for each in patched] == [["path", "xcom_key"], ["body", "value"]]


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("limit=", "int_parsing"),
        ("limit=1.5", "int_parsing"),
        ("limit=-1", "greater_than_equal"),
        ("limit=" + "9" * 5000, "int_parsing_size"),
        ("offset=9223372036854775808", "less_than_equal"),
        ("map_index=-2", "greater_than_equal"),
        ("xcom_key=%00", "string_pattern_mismatch"),
        ("task_id_pattern=%00", "string_pattern_mismatch"),
        ("task_id_pattern=" + "x" * 5_001, "string_too_long"),
        ("map_index_filter=x", "int_parsing"),
        ("run_after_gt=yesterday", "datetime_from_date_parsing"),
        ("run_after_gt=2024-01-01", "timezone_aware"),
    ],
)
def test_invalid_parameter_is_rejected(client: FlaskClient, query: str, kind: str) -> None:
    errors = error_detail(client.get(f"{entries()}?{query}"), 422)

    name, _, given = query.partition("=")
    assert [(each["type"], each["loc"]) for each in errors] == [(kind, ["query", name])]
    assert errors[0]["input"] == given.replace("%00", "\0")


@pytest.mark.parametrize("path", [entry("%FF"), entries("%C3%28")])
def test_url_that_is_not_utf8_is_rejected(client: FlaskClient, path: str) -> None:
    raw = unquote_to_bytes(unquote(path)).decode("latin-1")

    answer = client.get(entries(), environ_overrides={"PATH_INFO": raw})

    assert error_detail(answer, 400) == "The path of the URL is not valid UTF-8"
    assert error_detail(client.get(f"{entries()}?x=%ff"), 400) == (
        "The query of the URL is not valid UTF-8"
    )
