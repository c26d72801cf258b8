"""Both versions share one store; each has its own format of values and errors."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.values.reserved import RESERVED

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2

VALUES = [
    ({"b": 1, "a": None}, "{'b': 1, 'a': None}"),
    ([1, "x", None], "[1, 'x', None]"),
    (True, "True"),
    (1.5, "1.5"),
    (2**70, str(2**70)),
    ("text", "text"),
    ("", ""),
    (None, None),
    ("ü🙂", "ü🙂"),
]


@pytest.mark.parametrize(("value", "as_text"), VALUES)
def test_v1_shows_values_written_by_v2_as_python_text(
    client: FlaskClient, value: Any, as_text: str | None
) -> None:
    body = json.dumps({"key": "k", "value": value})  # Flask's client would sort the keys
    client.post(v2.entries(), data=body, content_type="application/json")

    assert client.get(v1.entry("k")).get_json()["value"] == as_text
    native = client.get(v1.entry("k"), query_string={"stringify": "false"})
    assert native.get_json()["value"] == value
    assert client.get(v2.entry("k")).get_json()["value"] == value


@pytest.mark.parametrize("value", ["text", "", "5", '{"a": 1}', None, "żółć"])
def test_v2_shows_values_written_by_v1_as_strings(client: FlaskClient, value: str | None) -> None:
    v1.create(client, "k", value)

    assert client.get(v2.entry("k")).get_json()["value"] == value


def test_changes_in_one_version_are_visible_in_the_other(client: FlaskClient) -> None:
    created = v1.create(client, "k", "one").get_json()
    assert v2.error_detail(v2.create(client, "k", 2), 409)

    assert client.patch(v2.entry("k"), json={"value": [2]}).status_code == 200
    seen = client.get(v1.entry("k")).get_json()
    assert (seen["value"], seen["execution_date"]) == ("[2]", created["execution_date"])
    assert seen["timestamp"] > created["timestamp"]

    assert client.patch(v1.entry("k"), json={"value": "three"}).status_code == 200
    assert client.get(v2.entry("k")).get_json()["value"] == "three"

    assert client.delete(v1.entry("k")).status_code == 204
    assert v2.error_detail(client.delete(v2.entry("k")), 404)


def test_both_versions_list_entries_in_the_same_order(client: FlaskClient) -> None:
    for number, key in enumerate(("b", "A", "ü", "a/b")):
        (v1 if number % 2 else v2).create(client, key, "v")

    listed = [client.get(api.entries("~", "~", "~")).get_json() for api in (v1, v2)]

    keys = [[each["key"] for each in page["xcom_entries"]] for page in listed]
    assert keys == [["A", "a/b", "b", "ü"]] * 2
    assert [page["total_entries"] for page in listed] == [4, 4]


WITH_RESERVED_KEYS = [{name: 1} for name in sorted(RESERVED)] + [
    [{"a": [{"__type": "x"}]}],
    json.dumps({"__classname__": "os.system"}),
    {"a": '[{"__var": 1}]'},
    {"a": {"b": json.dumps({"c": json.dumps({"__source": 1})})}},
]


@pytest.mark.parametrize("value", WITH_RESERVED_KEYS)
@pytest.mark.parametrize("escaped", [False, True])
def test_reserved_keys_are_rejected_in_every_write(
    client: FlaskClient, value: Any, escaped: bool
) -> None:
    v1.create(client, "old", "old")
    text = json.dumps(value if isinstance(value, str) else json.dumps(value))
    for api, shown in ((v1, text), (v2, text), (v2, json.dumps(value))):
        shown = shown.replace("__", "\\u005f_") if escaped and "\\" not in shown else shown
        for method, path in (("POST", api.entries()), ("PATCH", api.entry("old"))):
            body = (
                f'{{"key": "k", "value": {shown}}}'
                if method == "POST"
                else (f'{{"value": {shown}}}')
            )
            answer = client.open(path, method=method, data=body, content_type="application/json")
            detail = (
                v1.error_detail(answer, 400)
                if api is v1
                else v2.error_detail(answer, 422)[0]["msg"]
            )
            assert "contains reserved serialization keys: __" in str(detail)
    assert v2.stored_values(client) == {"old": "old"}


def test_error_gives_the_path_of_a_reserved_key(client: FlaskClient) -> None:
    value = {"a": [0, {"__var": 1, "__type": 2, "x": {"__id__": 3}}]}

    errors = v2.error_detail(v2.create(client, "k", value), 422)

    assert errors == [
        {
            "type": "value_error",
            "loc": ["body", "value"],
            "input": value,
            "ctx": {"error": {}},
            "msg": "Value error, XCom value.a[1] contains reserved serialization keys: __type,"
            " __var. These keys are reserved for internal use.",
        }
    ]


@pytest.mark.parametrize(
    ("path", "is_v2"),
    [
        ("/api/v1/nope", False),
        ("/api/v2/nope", True),
        ("/api/v2", True),
        ("/api/v2/", True),
        ("/auth/nope", True),
        ("/auth", True),
        ("/api/v3", False),
        ("/nope", False),
        ("/api/v1/../v2/nope", False),
    ],
)
def test_unknown_path_gets_the_404_of_its_version(
    client: FlaskClient, path: str, is_v2: bool
) -> None:
    answer = client.get(path)

    if is_v2:
        assert (answer.status_code, answer.data) == (404, b'{"error":"API route not found"}')
    else:
        assert v1.error_detail(answer, 404, "Not Found")


def test_only_v1_supports_head_and_options(client: FlaskClient) -> None:
    v1.create(client)

    for path in (v1.entry("k"), v1.entries()):
        assert client.head(path).status_code == client.options(path).status_code == 200
    for path, methods in (
        (v2.entries(), "GET, PATCH, POST"),
        (v2.entry("k"), "DELETE, GET, PATCH"),
        ("/api/v2/version", "GET"),
        ("/auth/token", "POST"),
    ):
        head, options = client.head(path), client.options(path)
        assert (head.status_code, options.status_code) == (405, 405)
        assert head.headers["Allow"] == ("POST" if path == "/auth/token" else "GET")
        assert options.headers["Allow"] == methods
    assert client.head("/api/v2/nope").status_code == client.options("/auth/x").status_code == 405


def test_deeply_nested_response_is_validated(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(max_json_depth=240)  # the maximum; the client validates responses
    body = '{"key": "deep", "value": ' + "[" * 239 + "]" * 239 + "}"

    created = client.post(v2.entries(), data=body, content_type="application/json")

    assert created.status_code == 201
    assert "[" * 239 in client.get(v2.entry("deep")).text


def test_deeply_nested_conf_is_in_lists(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(max_json_depth=240)
    conf = '{"a": ' * 239 + "1" + "}" * 239
    body = f'{{"logical_date": null, "conf": {conf}}}'

    created = client.post("/api/v2/dags/d/dagRuns", data=body, content_type="application/json")

    assert created.status_code == 200
    for path in ("/api/v1/dags/d/dagRuns", "/api/v2/dags/d/dagRuns"):
        assert client.get(path).get_json()["dag_runs"][0]["conf"] == json.loads(conf)
