"""Values are never executed: no pickle, no eval, no import by name."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.storage.store import XComStore

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.calls import RUN
from tests.support.databases import load
from tests.support.documents import VERSIONS, operations
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

PACKAGE = ROOT / "app" / "xcom_server"

FORBIDDEN = {
    "pickle",
    "cPickle",
    "dill",
    "marshal",
    "shelve",
    "cloudpickle",
    "eval",
    "exec",
    "compile",
    "__import__",
    "import_module",
    "import_string",
    "literal_eval",
    "unpickle",
    "PickleType",
    "JSON",
    "getattr",
}
ALLOWED = {
    ("api/openapi.py", "getattr"),
    ("settings.py", "getattr"),
    ("factory.py", "getattr"),
    ("api/json_io.py", "JSON"),
    ("api/emulator/journal.py", "JSON"),
    ("api/emulator/page/links.py", "getattr"),
    ("api/emulator/page/store_views.py", "getattr"),
    ("api/serialization.py", "getattr"),
    ("api/v1/dag_runs.py", "JSON"),
    ("api/v1/dags.py", "JSON"),
    ("api/v1/logs.py", "JSON"),
    ("api/v1/xcom.py", "JSON"),
    ("api/v1/xcom.py", "getattr"),
    ("api/v2/dag_runs.py", "JSON"),
    ("api/v2/dags.py", "JSON"),
    ("api/v2/logs.py", "JSON"),
    ("api/v2/xcom.py", "JSON"),
    ("api/v2/login.py", "JSON"),
    ("cli/main.py", "getattr"),
    ("cli/main.py", "import_module"),
    ("emulator/records.py", "getattr"),
    ("observability/logs.py", "getattr"),
    ("server/gunicorn_adapter.py", "getattr"),
    ("storage/database/backend.py", "getattr"),
    ("storage/database/postgres.py", "getattr"),
    ("storage/database/sqlite.py", "getattr"),
    ("storage/database/sqlalchemy_adapter.py", "compile"),
    ("storage/sql/changes.py", "getattr"),
    ("storage/sql/listing.py", "getattr"),
    ("storage/sql/moves.py", "getattr"),
    ("storage/sql/snapshots.py", "getattr"),
    ("storage/sql/triggering.py", "getattr"),
    ("testing/server.py", "getattr"),
}
"""Uses that no value reaches: loaders of fixed names, settings, a media type, attributes of a
driver's error, a log record, a record of the store or the journal, a worker or a schema's field,
columns, a SQLAlchemy statement."""

SERIALIZED = json.dumps({"__classname__": "os.system", "__version__": 1, "__data__": "touch pwned"})
"""An object in the format of Airflow's serializer, which only tasks may write."""

PAYLOADS = [
    "cos\nsystem\n(S'touch pwned'\ntR.",
    "__import__('os').system('touch pwned')",
    SERIALIZED,
    "!!python/object/apply:os.system ['touch pwned']",
]


def names_in(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(attr="compile", value=ast.Name(id="re")):
                pass
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield from name.split(".")
            case ast.ImportFrom(module=str(module)):
                yield from module.split(".")


def test_source_uses_no_function_that_could_run_a_value() -> None:
    found = {
        (str(source.relative_to(PACKAGE)), name)
        for source in PACKAGE.rglob("*.py")
        for name in names_in(source)
        if name in FORBIDDEN
    }

    assert found == ALLOWED


def write(client: FlaskClient, database_url: str, path: str, payload: str) -> int:
    """Write a payload by one of the write paths; return the status."""
    if path == "seed":
        name = {"dag_id": "etl", "run_id": RUN, "task_id": "extract", "key": "k"}
        load(database_url, json.dumps([{**name, "value": payload}]))
        return 200
    version, method = path.split()
    api: Any = {"v1": v1, "v2": v2}[version]
    if method == "POST":
        return int(api.create(client, "k", payload).status_code)
    v1.create(client, "k", "old")
    return client.patch(api.entry("k"), json={"value": payload}).status_code


WRITE_PATHS = ["v1 POST", "v1 PATCH", "v2 POST", "v2 PATCH", "seed"]


@pytest.mark.parametrize("path", WRITE_PATHS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_payload_stays_text_in_every_write_path(
    client: FlaskClient,
    database_url: str,
    path: str,
    payload: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    status = write(client, database_url, path, payload)

    shown = {
        client.get(at.entry("k"), query_string=query).get_json().get("value")
        for at, query in ((v1, {"stringify": "false"}), (v1, {}), (v2, {}))
    }
    if payload == SERIALIZED and path != "seed":
        assert status in (400, 422)
        assert shown == ({"old"} if "PATCH" in path else {None})
    else:
        assert (status < 300, shown) == (True, {payload})
    for query in ({"deserialize": "true"}, {"deserialize": "true", "stringify": "true"}):
        assert client.get(v2.entry("k"), query_string=query).status_code in (200, 404)
    assert not (tmp_path / "pwned").exists()


def test_write_paths_are_complete() -> None:
    api_paths = {
        f"{version} {method.upper()}"
        for version in VERSIONS
        for path, method, operation in operations(version)
        if "requestBody" in operation and path.endswith(("/xcomEntries", "key}"))
    }
    store_methods = {name for name in vars(XComStore) if not name.startswith("_")}

    assert api_paths | {"seed"} == set(WRITE_PATHS)
    assert store_methods == {
        "create",
        "get",
        "list",
        "replace_value",
        "delete",
        "load",
        "export_entries",
        "export_dags",
        "export_runs",
        "check",
        "clear",
        "snapshots",
        "prepare",
        "close",
    }
