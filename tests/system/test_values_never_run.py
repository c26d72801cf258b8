"""Nothing that a value passes through can run it: no pickle, no eval, no import by name."""

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.storage import seed
from app.storage.store import XComStore
from tests.api.v1.calls import RUN, create, entry
from tests.conftest import ROOT, load
from tests.contract.document import operations

FORBIDDEN = {"pickle", "cPickle", "dill", "marshal", "shelve", "cloudpickle", "eval", "exec",
             "compile", "__import__", "import_module", "import_string", "literal_eval", "unpickle",
             "PickleType", "JSON", "getattr"}
ALLOWED = {("app/api/documents.py", "getattr"), ("app/settings.py", "getattr"),
           ("app/api/wire.py", "JSON"), ("app/api/v1/xcom.py", "JSON"),
           ("app/api/v1/xcom.py", "getattr")}
"""Where a name stands for something that no value reaches: a loader, settings, a media type."""

PAYLOADS = ["cos\nsystem\n(S'touch pwned'\ntR.", "__import__('os').system('touch pwned')",
            json.dumps({"__classname__": "os.system", "__version__": 1,
                        "__data__": "touch pwned"}),
            "!!python/object/apply:os.system ['touch pwned']"]


def names_in(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(attr="compile", value=ast.Name(id="re")):
                pass
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield from name.split(".")
            case ast.ImportFrom(module=str(module)):
                yield from module.split(".")


def test_the_source_names_nothing_that_could_run_a_value() -> None:
    found = {(str(source.relative_to(ROOT)), name) for source in (ROOT / "app").rglob("*.py")
             for name in names_in(source) if name in FORBIDDEN}

    assert found == ALLOWED


def written(client: FlaskClient, database_url: str, path: str, payload: str) -> Any:
    """Write a payload by one of the write paths; return the answer of reading it."""
    if path == "POST":
        create(client, "k", payload)
    elif path == "PATCH":
        create(client, "k", "old")
        client.patch(entry("k"), json={"value": payload})
    else:
        name = {"dag_id": "etl", "run_id": RUN, "task_id": "extract", "key": "k"}
        load(database_url, json.dumps([{**name, "value": payload}]))
    return client.get(entry("k"), query_string={"stringify": "false"}).get_json()["value"]


WRITE_PATHS = ["POST", "PATCH", "seed"]


@pytest.mark.parametrize("path", WRITE_PATHS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_text_whatever_the_way_in(
        client: FlaskClient, database_url: str, path: str, payload: str, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert written(client, database_url, path, payload) == payload
    assert not (tmp_path / "pwned").exists()


def test_the_write_paths_are_all_there_are() -> None:
    of_the_api = {method.upper() for _, method, operation in operations()
                  if "requestBody" in operation}
    of_the_store = {name for name in vars(XComStore) if not name.startswith("_")}
    seeds = {name for name, each in vars(seed).items()
             if inspect.isfunction(each) and each.__module__ == seed.__name__
             and not name.startswith("_")}

    assert of_the_api | {"seed"} == set(WRITE_PATHS)
    assert of_the_store == {"create", "get", "list", "replace_value", "delete", "is_healthy"}
    assert seeds == {"write", "export_entries", "export_runs"}
