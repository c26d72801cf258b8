"""The effects of faults on responses; those on connections are tested in tests/server."""

import gzip
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.emulator import FAULTS

CALLS = pytest.mark.parametrize("calls", [v1, v2], ids=["v1", "v2"])
BASIC = {"Authorization": "Basic YW5uOmFubg=="}
BEARER = {"Authorization": "Bearer some.token"}


@pytest.fixture
def client(emulator: FlaskClient) -> FlaskClient:
    """Return a client of a server with ten entries, `k0` to `k9`."""
    for number in range(10):
        assert v2.create(emulator, f"k{number}", {"a": [1, None], "b": 1.5}).status_code == 201
    return emulator


def add(client: FlaskClient, effect: str, *, match: Any = None, **fields: Any) -> int:
    definition = {"match": match or {}, "effect": {"type": effect, **fields}}
    answer = client.post(FAULTS, json=definition)
    assert answer.status_code == 201, answer.text
    number: int = answer.get_json()["number"]
    return number


def is_applied(client: FlaskClient, number: int) -> bool:
    return bool(client.get(f"{FAULTS}/{number}").get_json()["applied"])


def is_malformed(answer: TestResponse) -> bool:
    assert answer.content_length == len(answer.data)
    try:
        json.loads(answer.data)
    except json.JSONDecodeError:
        return True
    return False


@pytest.mark.parametrize("status", [400, 429, 500, 502, 503, 504, 599])
def test_status_has_the_body_of_the_version(client: FlaskClient, status: int) -> None:
    number = add(client, "status", status=status, retry_after=7, detail="Try later.")

    old, new = client.get(v1.entry("k1")), client.get(v2.entry("k1"))
    problem = old.get_json()

    assert (old.status_code, new.status_code) == (status, status)
    assert old.content_type == "application/problem+json"
    assert (problem["status"], problem["detail"]) == (status, "Try later.")
    assert problem["title"] != ""
    assert new.content_type == "application/json"
    assert new.get_json() == {"detail": "Try later."}
    assert [each.headers["Retry-After"] for each in (old, new)] == ["7", "7"]
    assert is_applied(client, number)


def test_default_detail_names_the_fault(client: FlaskClient) -> None:
    number = add(client, "status", status=503)

    answer = client.get(v2.entry("k1"))
    assert answer.get_json() == {"detail": f"Fault {number} of the control plane."}
    assert "Retry-After" not in answer.headers


def test_server_does_not_log_an_injected_status_as_its_error(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    add(client, "status", status=500)

    assert client.get(v2.entry("k1")).status_code == 500
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


@CALLS
def test_request_is_not_executed_before_a_status(client: FlaskClient, calls: Any) -> None:
    add(client, "status", match={"method": "POST"}, status=503)

    assert calls.create(client, "new").status_code == 503
    assert client.get(calls.entry("new")).status_code == 404


@CALLS
def test_request_is_executed_before_a_status_after_it(client: FlaskClient, calls: Any) -> None:
    add(client, "status", match={"method": "POST"}, status=504, after=True, detail="Gateway")

    answer = calls.create(client, "new")

    assert answer.status_code == 504
    assert answer.get_json()["detail"] == "Gateway"
    assert "ETag" not in answer.headers
    assert client.get(calls.entry("new")).status_code == 200


def test_status_replaces_a_response_without_a_body(client: FlaskClient) -> None:
    add(client, "status", match={"method": "DELETE"}, status=502, after=True)

    answer = client.delete(v2.entry("k1"), headers={"Accept-Encoding": "gzip"})

    assert (answer.status_code, answer.content_type) == (502, "application/json")
    assert answer.get_json()["detail"].startswith("Fault")
    assert client.get(v2.entry("k1")).status_code == 404


def test_status_replaces_a_compressed_response(client: FlaskClient) -> None:
    add(client, "status", status=502, after=True)

    answer = client.get(v2.entry("k1"), headers={"Accept-Encoding": "gzip"})

    assert (answer.status_code, "Content-Encoding" in answer.headers) == (502, False)
    assert answer.get_json()["detail"].startswith("Fault")


@CALLS
def test_malformed_json_has_the_right_length(client: FlaskClient, calls: Any) -> None:
    number = add(client, "malformed_json")

    for path in (calls.entry("k1"), calls.entries(), calls.entry("nothing")):
        answer = client.get(path)
        assert answer.content_type in ("application/json", "application/problem+json")
        assert is_malformed(answer)
    assert is_applied(client, number)


def test_compressed_response_is_malformed_inside(client: FlaskClient) -> None:
    add(client, "malformed_json")

    answer = client.get(v2.entry("k1"), headers={"Accept-Encoding": "gzip"})
    text = gzip.decompress(answer.data)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert text.startswith(b'{"key":"k1"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


@pytest.mark.parametrize("effect", ["malformed_json", "extra_field", "content_type"])
def test_response_without_a_body_is_unchanged(client: FlaskClient, effect: str) -> None:
    number = add(client, effect)

    assert client.delete(v2.entry("k1")).status_code == 204
    assert client.delete(v1.entry("k2")).status_code == 204
    assert not is_applied(client, number)


@pytest.mark.parametrize("effect", ["malformed_json", "extra_field"])
def test_response_to_head_is_unchanged(client: FlaskClient, effect: str) -> None:
    number = add(client, effect)

    assert client.head(v1.entry("k1")).status_code == 200
    assert not is_applied(client, number)


@CALLS
def test_content_type_is_wrong(client: FlaskClient, calls: Any) -> None:
    expected = client.get(calls.entry("k1")).data
    number = add(client, "content_type", value="text/html; charset=utf-8")

    answer = client.get(calls.entry("k1"))

    assert (answer.content_type, answer.data) == ("text/html; charset=utf-8", expected)
    assert is_applied(client, number)


@CALLS
def test_total_is_missing_and_nothing_else(client: FlaskClient, calls: Any) -> None:
    expected = client.get(calls.entries() + "?limit=2").get_json()
    number = add(client, "missing_total")

    found = client.get(calls.entries() + "?limit=2").get_json()

    assert expected.pop("total_entries") == 10
    assert found == expected
    assert is_applied(client, number)


@CALLS
def test_extra_field_is_in_the_list_and_its_items(client: FlaskClient, calls: Any) -> None:
    expected = client.get(calls.entries() + "?limit=2").get_json()
    add(client, "extra_field", name="future", value={"a": 1})

    found = client.get(calls.entries() + "?limit=2").get_json()

    assert [each.pop("future") for each in (found, *found["xcom_entries"])] == [{"a": 1}] * 3
    assert found == expected


def test_extra_field_is_not_in_a_value(client: FlaskClient) -> None:
    v2.create(client, "rows", [{"a": 1}])
    add(client, "extra_field", name="future", value=5)

    found = client.get(v2.entry("rows")).get_json()

    assert (found["future"], found["value"]) == (5, [{"a": 1}])


@CALLS
def test_extra_field_changes_no_existing_field(client: FlaskClient, calls: Any) -> None:
    expected = client.get(calls.entry("k1")).data
    add(client, "extra_field", name="key")

    assert client.get(calls.entry("k1")).data == expected


def test_changed_json_is_formatted_like_that_of_the_version(client: FlaskClient) -> None:
    add(client, "extra_field", name="zzz", value="\N{SNOWMAN}")

    old, new = client.get(v1.entry("k1")).text, client.get(v2.entry("k1")).text

    assert old.endswith(',\n  "zzz": "\\u2603"\n}\n')
    assert new.endswith(',"zzz":"\N{SNOWMAN}"}')


def walked(client: FlaskClient, calls: Any, limit: int) -> tuple[list[str], list[int]]:
    """Return the keys of all pages, and their totals."""
    keys, totals = [], []
    for offset in range(0, 10, limit):
        page = client.get(f"{calls.entries()}?limit={limit}&offset={offset}").get_json()
        keys += [each["key"] for each in page["xcom_entries"]]
        totals.append(page["total_entries"])
    return keys, totals


@CALLS
def test_walk_skips_an_item_as_if_one_was_deleted(client: FlaskClient, calls: Any) -> None:
    add(client, "shifted_page")

    keys, totals = walked(client, calls, 4)

    assert keys == ["k0", "k1", "k2", "k3", "k5", "k6", "k7", "k8", "k9"]
    assert totals == [10, 9, 9]


@CALLS
def test_walk_sees_an_item_twice_as_if_one_was_inserted(client: FlaskClient, calls: Any) -> None:
    number = add(client, "shifted_page", by=1)

    keys, totals = walked(client, calls, 5)

    assert keys == ["k0", "k1", "k2", "k3", "k4", "k4", "k5", "k6", "k7", "k8"]
    assert totals == [10, 11]
    assert client.get(f"{FAULTS}/{number}").get_json()["applied"] == 1


@CALLS
@pytest.mark.parametrize("query", ["", "?offset=0", "?offset=x", "?offset=-1"])
def test_first_page_and_an_invalid_one_are_not_shifted(
    client: FlaskClient, calls: Any, query: str
) -> None:
    expected = client.get(calls.entries() + query).data
    number = add(client, "shifted_page")

    assert client.get(calls.entries() + query).data == expected
    assert not is_applied(client, number)


def test_token_is_expired_once(client: FlaskClient) -> None:
    definition = {"times": 1, "effect": {"type": "expired_token"}}
    assert client.post(FAULTS, json=definition).status_code == 201

    first, second = (client.get(v2.entry("k1"), headers=BEARER) for _ in range(2))

    assert (first.status_code, first.get_json()) == (401, {"detail": "Token Expired"})
    assert second.status_code == 200


def test_credentials_of_v1_are_refused(client: FlaskClient) -> None:
    add(client, "expired_token")

    answer = client.get(v1.entry("k1"), headers=BASIC)

    v1.assert_refused(answer, 401, "Unauthorized")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (v2.entry("k1"), {}),
        (v2.entry("k1"), BASIC),
        (v1.entry("k1"), BEARER),
        ("/api/v2/version", BEARER),
        ("/health", BEARER),
    ],
)
def test_request_without_a_token_has_none_that_expires(
    client: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    number = add(client, "expired_token")

    assert client.get(path, headers=headers).status_code == 200
    assert not is_applied(client, number)


def test_body_that_is_too_large_is_unchanged(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xcom_server.api.emulator.effects.MAX_CHANGED", 20)
    number = add(client, "malformed_json")

    for headers in ({}, {"Accept-Encoding": "gzip"}):
        assert client.get(v2.entry("k1"), headers=headers).status_code == 200
    assert not is_applied(client, number)


@pytest.mark.parametrize("effect", ["latency", "reset", "truncate"])
def test_other_wsgi_server_cannot_break_connections(client: FlaskClient, effect: str) -> None:
    """Such a fault may have been created on another host."""
    fields: dict[str, Any] = {"seconds": 1} if effect == "latency" else {"after": True}
    client.application.extensions["emulator"].add_fault(
        {
            "match": {"operation": "*", "method": None, "path": "*", "client": "", "share": 1},
            "times": None,
            "effect": {"type": effect, **fields},
        }
    )
    answer = client.get(v2.entry("k1"))

    assert answer.status_code == 501
    assert answer.get_json() == {"detail": "This fault needs `xcom-server serve`."}
