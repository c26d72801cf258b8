"""Every request is in the journal once its response is sent, without credentials."""

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.emulator.records import MAX_BODY, MAX_HEADER, MAX_HEADERS, MAX_RECORD, MAX_URL
from xcom_server.errors import Unavailable
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.opening import EMULATOR_SUFFIX

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.databases import emptied

Make = Callable[..., FlaskClient]
SECRET = "s3cr3t"
OTHER_SITE = {"Origin": "http://attacker.example"}
LOGIN = {"username": "ann", "password": SECRET}
CREDENTIALS = base64.b64encode(f"ann:{SECRET}".encode()).decode()


@pytest.fixture
def client(emulator: FlaskClient) -> FlaskClient:
    return emulator


def state(client: FlaskClient) -> EmulatorState:
    return client.application.extensions["emulator"]  # type: ignore[no-any-return]


def records(client: FlaskClient) -> list[dict[str, Any]]:
    return [record for _, record in state(client).requests()]


def recorded(client: FlaskClient, path: str, method: str = "GET", **options: Any) -> dict[str, Any]:
    """Send a request and return its record, the only new one."""
    before = len(records(client))
    client.open(path, method=method, **options)
    *_, record = found = records(client)
    assert len(found) == before + 1
    return record


def test_request_is_recorded_as_it_was_sent(client: FlaskClient) -> None:
    v2.create(client, "a/b", {"x": 1})
    path = v1.entry("a/b").replace("a/b", "a%2Fb")
    headers = {"User-Agent": "my-client/1.0", "X-Other": "é\x01"}

    record = recorded(client, f"{path}?stringify=false&map%5Findex=-1", headers=headers)

    assert record | {"at": "", "milliseconds": 0, "response": "", "headers": {}} == {
        "at": "",
        "client": "my-client/1.0",
        "method": "GET",
        "path": path,
        "query": "stringify=false&map%5Findex=-1",
        "operation": "v1.getXComValue",
        "authorization": "",
        "headers": {},
        "body": "",
        "status": 200,
        "content_type": "application/json",
        "response": "",
        "total_entries": None,
        "items": None,
        "milliseconds": 0,
        "fault": "",
        "auth": "none",
    }
    assert record["headers"]["X-Other"] == "\\xe9\\x01"
    assert '"x": 1' in record["response"]
    assert 0 < record["milliseconds"] < 60_000


@pytest.mark.parametrize(
    ("path", "method", "options", "status", "operation"),
    [
        (v1.entries(), "GET", {"headers": {"Host": "attacker.example"}}, 421, "v1.getXComEntry"),
        (v1.entries(), "POST", {"headers": OTHER_SITE}, 403, "v1.updateXComEntry"),
        ("/api/v1/nothing", "GET", {}, 404, ""),
        ("/api/v2/nothing", "POST", {"data": "x"}, 405, ""),
        (v1.entries(), "PUT", {}, 405, ""),
        (v2.entries(), "HEAD", {}, 405, "v2.get_xcom_entries"),
        (v1.entries(), "POST", {"data": "x" * 2**20 + "x"}, 413, "v1.updateXComEntry"),
        (v1.entries(), "POST", {"data": "x"}, 415, "v1.updateXComEntry"),
        (v2.entries(), "POST", {"data": "{"}, 422, "v2.create_xcom_entry"),
        ("/api/v1/dags?limit=%ff", "GET", {}, 400, "v1.get_dags"),
        ("/auth/token", "POST", {"json": {}}, 422, "create_token"),
        ("/", "GET", {"headers": {"Accept": "text/html"}}, 200, ""),
        ("/health", "GET", {}, 200, "health"),
        ("/openapi.json", "GET", {}, 200, "openapi_json"),
    ],
)
def test_requests_that_reach_no_operation_are_recorded(
    client: FlaskClient,
    path: str,
    method: str,
    options: dict[str, Any],
    status: int,
    operation: str,
) -> None:
    record = recorded(client, path, method, **options)

    assert (record["method"], record["path"]) == (method, path.partition("?")[0])
    assert (record["status"], record["operation"]) == (status, operation)
    assert record["body"] == ("" if status == 413 else record["body"])
    if "data" in options and status != 413:
        assert record["body"] == options["data"]


@pytest.mark.parametrize(
    "path",
    [
        "/live",
        "/ready",
        "/metrics",
        "/api/v1/ui",
        "/api/v1/ui/",
        "/api/v2/ui/swagger-ui.css",
        "/_emulator",
        "/_emulator/requests",
        "/_emulator/nothing",
    ],
)
def test_other_paths_are_not_recorded(client: FlaskClient, path: str) -> None:
    client.get(path).close()

    assert records(client) == []


def test_path_is_recorded_without_the_base_path(make_client: Make) -> None:
    client = make_client(emulator=True, base_path="/airflow")

    inside = recorded(client, "/airflow/api/v1/version")
    outside = recorded(client, "/api/v1/version")
    client.get("/airflow/live")

    assert (inside["path"], inside["status"]) == ("/api/v1/version", 200)
    assert (outside["path"], outside["status"]) == ("/api/v1/version", 404)
    assert len(records(client)) == 2


def test_target_with_a_host_is_recorded_without_it(client: FlaskClient) -> None:
    target = f"http://ann:{SECRET}@localhost/api/v1/version?x=1"

    record = recorded(client, "/api/v1/version?x=1", environ_overrides={"RAW_URI": target})

    assert (record["path"], record["query"]) == ("/api/v1/version", "x=1")


def test_no_credentials_are_in_the_files_of_the_database(
    client: FlaskClient, emulator_files: Path
) -> None:
    entry, token = v1.entry("k"), f"eyJhbGciOiJIUzUxMiJ9.{SECRET}.{SECRET}"
    for headers in (
        {"Authorization": f"Basic {CREDENTIALS}"},
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": SECRET},
        {"Proxy-Authorization": f"Basic {CREDENTIALS}", "Cookie": f"session={SECRET}"},
        {"X-Api-Key": SECRET, "Referer": f"http://ann:{SECRET}@localhost/?token={SECRET}"},
        {"User-Agent": f"client Bearer {SECRET}"},
        {"X-Unknown": token},
    ):
        client.get(entry, headers=headers)
    for query in (f"token={SECRET}", f"t%6Fken={SECRET}", f"a=1;password={SECRET}"):
        client.get(f"{entry}?{query}")
    for path in (f"{entry}%3Ftoken={SECRET}", f"{entry};jwt={SECRET}", f"/auth/{token}"):
        client.get(path)
    for path in ("/auth/token", "/auth/token/cli", "/login", "/api/v1/security/login"):
        client.post(path, json=LOGIN)
        client.post(path, data=LOGIN)
        client.post(path, data=f'{{"username": "ann", "p\\u0061ss": "{SECRET}"}}')
        client.post(path, data=f'{{"username": "ann", "password": "{SECRET}', headers=OTHER_SITE)
        client.post(path, data=LOGIN, content_type="multipart/form-data")
    client.post(v2.runs(), json={"conf": {"db_password": SECRET, "headers": {"token": SECRET}}})
    client.post(v1.entries(), json={"password": SECRET})

    assert len(records(client)) == 35
    assert {"token", "t%6Fken"} <= {each["query"].partition("=")[0] for each in records(client)}
    found = b"".join(each.read_bytes() for each in emulator_files.glob("xcom.db-emulator*"))
    assert b"create_token" in found
    assert SECRET.encode() not in found
    assert CREDENTIALS.encode() not in found


def test_issued_token_is_masked(client: FlaskClient) -> None:
    record = recorded(
        client, "/auth/token", "POST", json=LOGIN, headers={"Accept-Encoding": "gzip"}
    )

    assert record["response"] == '{"access_token":"***"}'
    assert record["body"] == '{"password": "***", "username": "ann"}'


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("version", [v1, v2], ids=["v1", "v2"])
def test_items_of_a_list_are_counted_however_long_it_is(
    client: FlaskClient, version: Any, encoding: str
) -> None:
    for number in range(30):
        version.create(client, f"k{number}", "1")

    record = recorded(
        client, f"{version.entries()}?limit=20", headers={"Accept-Encoding": encoding}
    )

    assert (record["total_entries"], record["items"]) == (30, 20)
    assert len(record["response"]) == MAX_BODY
    assert record["response"].startswith("{")
    assert record["response"].endswith("…")


def test_a_stream_is_recorded_without_its_body(client: FlaskClient) -> None:
    client.post(v2.runs(), json={"dag_run_id": "r", "logical_date": None})

    record = recorded(client, f"{v2.run('r')}/wait?interval=1")

    assert (record["status"], record["response"]) == (200, "")


def test_long_values_are_cut(client: FlaskClient) -> None:
    record = recorded(
        client,
        f"/api/v1/{'x' * 2000}?q={'y' * 2000}",
        "POST",
        data="\0\x01" * MAX_BODY,
        headers={f"X-{number}": "z" * 1000 for number in range(50)},
    )

    assert len(record["path"]) <= MAX_URL
    assert len(record["query"]) <= MAX_URL
    assert record["body"].endswith("…")
    assert all(len(each) <= MAX_HEADER for each in record["headers"].values())
    assert sum(map(len, record["headers"].values())) <= MAX_HEADERS
    ((_, stored),) = state(client).requests()
    assert len(str(stored)) <= MAX_RECORD


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_hostile_characters_are_stored(
    make_client: Make, database: str, request: pytest.FixtureRequest
) -> None:
    options = (
        {}
        if database == "sqlite"
        else {"database_url": emptied(request.getfixturevalue("postgres_url"))}
    )
    client = make_client(emulator=True, **options)
    state(client).reset()

    def body(sent: bytes) -> Any:
        return recorded(client, "/api/v1/dags/%00%ff", "POST", data=sent)["body"]

    assert body(b"\0 \xff \xed\xa0\x80 \xf0\x9f\x98\x80 \\ud800") == (
        "\0 \\xff \\xed\\xa0\\x80 \N{GRINNING FACE} \\ud800"
    )
    assert body(b"a" * (MAX_BODY - 1) + "é".encode()) == "a" * (MAX_BODY - 1) + "…"
    environ = {"HTTP_X_ODD": "\0\x80\ud800", "QUERY_STRING": "a=\xff"}
    odd = recorded(client, "/api/v1/version", environ_overrides=environ | {"RAW_URI": ""})
    assert (odd["headers"]["X-Odd"], odd["query"]) == ("\\x00\\x80\\ud800", "a=%FF")
    state(client).reset()


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (Unavailable("Full."), ["[WARNING] A request is missing in the journal: Full."]),
        (ValueError("bug"), ["[ERROR] A request is missing in the journal", "ValueError: bug"]),
    ],
)
def test_request_is_answered_if_the_journal_cannot_be_written(
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    lines: list[str],
) -> None:
    def fail(request: Any) -> None:
        raise error

    handler: Any = client.application.logger.handlers[0]
    monkeypatch.setattr(handler, "stream", sys.stderr)
    monkeypatch.setattr(state(client), "record", fail)

    assert client.get("/api/v1/version").status_code == 200
    logged = capsys.readouterr().err
    assert [line for line in lines if line not in logged] == []


def test_requests_are_answered_after_the_journal_was_removed(
    make_client: Make, database_url: str
) -> None:
    client = make_client(emulator=True)
    assert client.get("/api/v1/version").status_code == 200
    Path(f"{database_url.removeprefix('sqlite:///')}{EMULATOR_SUFFIX}").unlink()

    assert client.get("/api/v1/version").status_code == 200
    assert client.get("/_emulator/requests").status_code == 503


def test_without_the_emulator_nothing_is_recorded(make_client: Make, database_url: str) -> None:
    client = make_client()
    assert client.get("/api/v1/version").status_code == 200

    assert "emulator" not in client.application.extensions
    path = Path(database_url.removeprefix("sqlite:///"))
    assert not [*path.parent.glob(f"{path.name}-emulator*")]
