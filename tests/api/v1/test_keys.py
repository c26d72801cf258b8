"""A key may hold any printable character, and clients may encode it in any way."""

import json
from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.live_server import LiveServer
from tests.support.v1_calls import create, entries, entry

KEYS = [
    "key with spaces",
    "a/b",
    "/lead",
    "a//b",
    "trail/",
    "/",
    "//",
    "a%2Fb",
    "100%",
    "a+b",
    "k?q=1&x#y",
    "#",
    "?",
    "~",
    ".",
    "..",
    "semi;colon",
    "quote'\"",
    "back\\slash",
    "star*",
    "ключ",
    "鍵",
    "emoji-🙂",
    "e\u0301",
    "\u00e9",
    " lead",
    "trail ",
    "line\nfeed",
    "tab\t",
    "<script>",
    "{key}",
    "x" * 512,
    "🙂" * 512,
]


@pytest.mark.parametrize("key", KEYS)
def test_key_round_trips(client: FlaskClient, key: str) -> None:
    create(client, key)

    assert client.get(entry(key)).get_json()["key"] == key
    assert client.patch(entry(key), json={"value": "new"}).get_json()["key"] == key
    listed = client.get(entries(), query_string={"xcom_key": key}).get_json()
    assert [each["key"] for each in listed["xcom_entries"]] == [key]
    assert client.delete(entry(key)).status_code == 204


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(
    key=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=512
    )
)
def test_generated_key_round_trips(client: FlaskClient, key: str) -> None:
    assert create(client, key).get_json()["key"] == key
    assert client.get(entry(key)).get_json()["key"] == key
    assert client.delete(entry(key)).status_code == 204


def lower_hex(key: str) -> str:
    """Encode as curl and the bash client do."""
    return "".join(f"%{byte:02x}" for byte in key.encode())


def without_slashes(key: str) -> str:
    """Encode as the bash client does, which does not encode slashes."""
    return quote(key, safe="/")


def minimal(key: str) -> str:
    """Encode only what a path cannot contain."""
    return quote(key, safe="/:@!$&'()*+,;=~")


@pytest.mark.parametrize("encode", [lower_hex, without_slashes, minimal])
@pytest.mark.parametrize("key", KEYS)
def test_key_is_found_through_gunicorn_in_any_url_encoding(
    server: LiveServer, key: str, encode: Callable[[str], str]
) -> None:
    path = entries(dag_id=f"keys-{encode.__name__}")
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)

    def call(method: str, target: str, body: str | None = None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert call("POST", path, json.dumps({"key": key, "value": "v"}))[0] == 200
    status, body = call("GET", f"{path}/{encode(key)}")
    assert (status, json.loads(body)["key"]) == (200, key)
    assert call("DELETE", f"{path}/{encode(key)}")[0] == 204
    connection.close()
