"""The document of the control plane: valid, complete, and each of its statuses is produced.

The calls for the statuses that every operation has, such as 400, are made from the document.
"""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate
from werkzeug.test import TestResponse
from xcom_server import clock
from xcom_server.emulator import faults
from xcom_server.errors import Unavailable
from xcom_server.factory import create_app
from xcom_server.settings import Settings
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.sql.snapshots import SqlSnapshotStore

from tests.support.documents import parse
from tests.support.emulator import FAULTS, SEED, SNAPSHOTS
from tests.support.paths import ROOT

DOCUMENT = parse((ROOT / "openapi" / "emulator.yaml").read_text(encoding="utf-8"))
JSON = "application/json"
BASE = DOCUMENT["servers"][0]["url"]
NOT_DOCUMENTED = ("/openapi.json", "/openapi.yaml", "/ui", "/ui/", "/ui/<path:path>", "")
NAMES = {"name": "nope", "number": "1"}
"""A value of each path parameter, which names nothing."""
TOKEN = "0123456789abcdef"

Call = Callable[[FlaskClient], TestResponse]
PAGE_OF_ENTRY = f"{BASE}/page/entry?dag_id=d&run_id=r&task_id=t&key=k"
ENTRY = {"dag_id": "d", "run_id": "r", "task_id": "t", "key": "k", "value": 1}


def saved(client: FlaskClient, name: str = "s") -> str:
    """Save a snapshot, and return its path."""
    client.put(f"{SNAPSHOTS}/{name}")
    return f"{SNAPSHOTS}/{name}"


def outdated(client: FlaskClient) -> str:
    path = saved(client)
    with client.application.extensions["store"]._backend.writing.begin() as connection:
        connection.exec_driver_sql("UPDATE emulator_snapshot SET revision = '0001'")
    return path


def with_too_many(client: FlaskClient) -> str:
    for number in range(100):
        saved(client, str(number))
    return f"{SNAPSHOTS}/one-more"


def recorded(client: FlaskClient) -> str:
    """Send a request, and return the path of its record."""
    client.get("/api/v1/version")
    listed = client.get(f"{BASE}/requests").get_json()["requests"]
    return f"{BASE}/requests/{listed[-1]['number']}"


def with_fault(client: FlaskClient) -> str:
    """Add a fault, and return its path."""
    added = client.post(FAULTS, json={"effect": {"type": "malformed_json"}})
    return f"{FAULTS}/{added.get_json()['number']}"


def with_too_many_faults(client: FlaskClient) -> TestResponse:
    with patch.object(faults, "MAX_FAULTS", 1):
        with_fault(client)
        return client.post(FAULTS, json={"effect": {"type": "malformed_json"}})


CALLS: dict[tuple[str, str], Call] = {
    ("create_fault", "409"): with_too_many_faults,
    ("get_fault", "200"): lambda c: c.get(with_fault(c)),
    ("remove_fault", "204"): lambda c: c.delete(with_fault(c)),
    ("get_request", "200"): lambda c: c.get(recorded(c)),
    ("seed", "409"): lambda c: c.post(SEED, json=[ENTRY, ENTRY]),
    ("save_snapshot", "200"): lambda c: c.put(saved(c)),
    ("save_snapshot", "409"): lambda c: c.put(with_too_many(c)),
    ("delete_snapshot", "204"): lambda c: c.delete(saved(c)),
    ("show_request", "200"): lambda c: c.get(recorded(c).replace(BASE, f"{BASE}/page")),
    ("show_new_requests", "200"): lambda c: (recorded(c), c.get(f"{BASE}/page/rows"))[1],
    ("show_entry", "200"): lambda c: (c.post(SEED, json=[ENTRY]), c.get(PAGE_OF_ENTRY))[1],
    ("show_entry", "404"): lambda c: c.get(PAGE_OF_ENTRY),
    ("show_entry", "503"): lambda c: c.get(PAGE_OF_ENTRY),
    ("get_asset", "200"): lambda c: c.get(f"{BASE}/page/assets/page.css"),
    ("restore_snapshot", "200"): lambda c: c.post(f"{saved(c)}/restore"),
    ("restore_snapshot", "409"): lambda c: c.post(f"{outdated(c)}/restore"),
}
"""What produces a status that the example of the document does not."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if "operationId" in operation:
                yield BASE + path, method, operation


STATUSES = [
    pytest.param(path, method, operation, status, id=f"{operation['operationId']} {status}")
    for path, method, operation in operations()
    for status in operation["responses"]
]


@pytest.fixture(scope="module")
def with_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    url = f"sqlite:///{tmp_path_factory.mktemp('emulator') / 'xcom.db'}"
    app = create_app(Settings(database_url=url, emulator=True, emulator_token=TOKEN))
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    yield client
    for name in ("store", "emulator"):
        app.extensions[name].close()


@pytest.fixture
def client(with_token: FlaskClient) -> Iterator[FlaskClient]:
    """Yield a client with the token of an application without data and snapshots."""
    yield with_token
    extensions = with_token.application.extensions
    for snapshot in extensions["store"].snapshots.list():
        extensions["store"].snapshots.delete(snapshot.name)
    extensions["store"].clear()
    extensions["emulator"].reset()
    clock.follow(None)


def example(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a request with the body in the document's example."""
    if "requestBody" not in operation:
        return {}
    media_type, content = body_of(operation)
    return {"json" if media_type == JSON else "data": content["example"]}


def body_of(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the media type of the body, which is JSON or a form, and its description."""
    (found,) = operation["requestBody"]["content"].items()
    return found  # type: ignore[no-any-return]


def call(
    client: FlaskClient,
    path: str,
    method: str,
    operation: dict[str, Any],
    status: str,
    monkeypatch: pytest.MonkeyPatch,
) -> TestResponse:
    path = path.format_map(NAMES)
    match status:
        case "400":
            return client.open(f"{path}?unknown=1", method=method, **example(operation))
        case "401":
            return client.open(
                path, method=method, headers={"Authorization": "Bearer x"}, **example(operation)
            )
        case "413":
            too_large = b"[" + b" " * 1024 * 1024 + b"]"
            media_type, _ = body_of(operation)
            return client.open(path, method=method, data=too_large, content_type=media_type)
        case "415":
            return client.open(path, method=method, data=b"{}", content_type="text/plain")
        case "503":
            make_unavailable(monkeypatch)
    if made := CALLS.get((operation["operationId"], status)):
        return made(client)
    return client.open(path, method=method, **example(operation))


def make_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise Unavailable("The database is gone.")

    for method in ("read", "execute", "transaction"):
        monkeypatch.setattr(Executor, method, fail)
    monkeypatch.setattr(SqlSnapshotStore, "list", fail)


@pytest.mark.parametrize(("path", "method", "operation", "status"), STATUSES)
def test_status_is_produced(
    client: FlaskClient,
    path: str,
    method: str,
    operation: dict[str, Any],
    status: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = call(client, path, method, operation, status, monkeypatch)
    monkeypatch.undo()  # before the fixture empties the store

    assert str(answer.status_code) == status, answer.text
    if answer.status_code in (204, 303):
        assert answer.data == b""
        assert ("Location" in answer.headers) == (answer.status_code == 303)
        return
    response = operation["responses"][status]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"][answer.mimetype]["schema"]
    if "json" not in (answer.mimetype or ""):
        assert schema == {"type": "string"}
        return
    OAS30Validator({"allOf": [schema], "components": DOCUMENT["components"]}).validate(
        answer.get_json(force=True)
    )


def test_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_every_route_is_documented(with_token: FlaskClient) -> None:
    app: Flask = with_token.application
    documented = {path.translate({123: "<", 125: ">"}) for path, _, _ in operations()}
    routes = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(BASE)}

    assert routes == documented | {BASE + path for path in NOT_DOCUMENTED}


def test_bodies_have_valid_examples() -> None:
    for _, _, operation in operations():
        if body := operation.get("requestBody"):
            (content,) = body["content"].values()
            components = {"components": DOCUMENT["components"]}
            OAS30Validator({"allOf": [content["schema"]], **components}).validate(
                content["example"]
            )


def test_document_is_served(with_token: FlaskClient) -> None:
    assert with_token.get(f"{BASE}/openapi.json").get_json() == DOCUMENT
    assert parse(with_token.get(f"{BASE}/openapi.yaml").text) == DOCUMENT
    assert "<title>xcom-server control plane</title>" in with_token.get(f"{BASE}/ui/").text
