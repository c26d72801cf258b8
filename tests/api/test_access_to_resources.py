"""Permissions of every operation in both versions: by role, and by the DAGs of a user."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from xcom_server import seed_file
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, read, write
from xcom_server.factory import create_app
from xcom_server.settings import Settings

from tests.support import any_operation
from tests.support.access import authenticated
from tests.support.databases import clear
from tests.support.documents import VERSIONS, is_guarded, operations
from tests.support.paths import ROOT
from tests.support.users import write_role_users

ENTRIES = {
    "v1": {"getXComEntry", "getXComValue", "updateXComEntry", "updateXComValue", "deleteXComValue"},
    "v2": {
        "get_xcom_entries",
        "get_xcom_entry",
        "create_xcom_entry",
        "update_xcom_entry",
        "delete_xcom_entry",
    },
}
"""The operations of the other table of docs/access.md, which test_who_may.py tests."""

SECRET = "secret"
"""Contained in the ids of DAGs that the user may not see."""

MINE, THEIRS = ("b", "etl"), (f"a_{SECRET}", f"f_{SECRET}")
GUARDED = {
    version: [
        operation["operationId"]
        for _, _, operation in operations(version)
        if is_guarded(version, operation)
    ]
    for version in VERSIONS
}
LISTS = {version: any_operation.lists(version) for version in VERSIONS}


def table() -> dict[str, dict[str, dict[str, str]]]:
    """Return version -> operation -> role -> the cell of the table in docs/access.md."""
    text = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.split("\n| operations |")[1].split("\n\n")[0].splitlines()[1:]
    ][1:]
    head = text.split("\n| operations |")[1].partition("\n")[0].strip("|").split("|")[2:]
    roles = [re.findall(r"\w+", cell) for cell in head]
    return {
        version: {
            operation: {
                role: cell for names, cell in zip(roles, line[3:], strict=True) for role in names
            }
            for line in lines
            for operation in re.findall(r"`(\w+)`", line[number])
        }
        for number, version in enumerate(VERSIONS, 1)
    }


TABLE = table()


@pytest.fixture(scope="module")
def application(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[tuple[Flask, Path]]:
    """Yield an application with a user for each role, and `ann`, who may see two DAGs."""
    folder = tmp_path_factory.mktemp("access")
    file = Path(shutil.copy(empty_database, folder / "xcom.db"))
    ann = User("ann", Role.USER, hash_password("ann"), frozenset(MINE))
    users = write_role_users(folder / "users.json")
    write(users, {**read(users), "ann": ann})
    app = create_app(
        Settings(
            database_url=f"sqlite:///{file}",
            auth="users",
            users_file=str(users),
            token_key_file=str(folder / "token.key"),
            validate_responses=True,
        )
    )
    yield app, file
    app.extensions["store"].close()


@pytest.fixture
def guarded(application: tuple[Flask, Path]) -> Iterator[FlaskClient]:
    """Yield a client of that application, whose database is empty."""
    app, file = application
    yield app.test_client()
    clear(file)


@pytest.fixture
def limited(guarded: FlaskClient) -> FlaskClient:
    """Return a client of that application with four DAGs, two of which `ann` may see."""
    load(guarded, *MINE, *THEIRS)
    return guarded


def load(client: FlaskClient, *dag_ids: str) -> None:
    store = client.application.extensions["store"]
    store.load(seed_file.read(any_operation.seed(*dag_ids)))


@pytest.mark.parametrize("version", VERSIONS)
def test_table_lists_every_operation_once(version: str) -> None:
    text = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")

    assert TABLE[version].keys() | ENTRIES[version] == {*GUARDED[version]}
    rows = text.split("\n| operations |")[1].split("\n\n")[0]
    column = "".join(line.split("|")[2 + VERSIONS.index(version)] for line in rows.splitlines()[2:])
    assert len(re.findall(r"`\w+`", column)) == len(TABLE[version])
    assert all({*cells} == {"anonymous", *Role} for cells in TABLE[version].values())


@pytest.mark.parametrize(
    ("version", "operation"),
    [(version, operation) for version in VERSIONS for operation in TABLE[version]],
)
def test_role_has_the_documented_permission(
    application: tuple[Flask, Path], version: str, operation: str
) -> None:
    app, file = application
    for role, permission in TABLE[version][operation].items():
        client = authenticated(app.test_client(), None if role == "anonymous" else role, version)
        load(client, "etl")
        answer = any_operation.request(client, version, operation, "etl")
        clear(file)

        if permission == "yes":
            assert answer.status_code in (200, 201, 204), (role, answer.text)
        else:
            assert str(answer.status_code) == permission, (role, answer.text)


@pytest.mark.parametrize(
    ("version", "operation"),
    [(version, operation) for version in VERSIONS for operation in LISTS[version]],
)
def test_list_contains_and_counts_only_dags_that_the_user_may_see(
    limited: FlaskClient, version: str, operation: str
) -> None:
    """The id of every DAG, run and task that can be a wildcard is one."""
    answers: dict[str, Any] = {}
    for name in ("admin", "ann"):
        authenticated(limited, name, version)
        answers[name] = any_operation.request(
            limited, version, operation, "~", dag_run_id="~", **_any_task(operation)
        )

    ann, admin = answers["ann"], answers["admin"]
    assert SECRET not in ann.text
    assert ann.status_code == admin.status_code
    assert (ann.status_code != 200) == ((version, operation) in OF_ONE_DAG), ann.text
    if ann.status_code == 200:
        assert 2 * ann.get_json()["total_entries"] == admin.get_json()["total_entries"]
        assert (SECRET in admin.text) != ((version, operation) in EMPTY)


OF_ONE_DAG = {
    ("v1", "get_tasks"),
    ("v1", "get_mapped_task_instances"),
    ("v2", "get_tasks"),
    ("v2", "get_mapped_task_instances"),
    ("v2", "get_task_instance_tries"),
    ("v2", "get_mapped_task_instance_tries"),
    ("v2", "clear_dag_run"),
    ("v2", "post_clear_task_instances"),
    ("v2", "patch_task_instance"),
    ("v2", "patch_task_instance_dry_run"),
    ("v2", "patch_task_instance_by_map_index"),
    ("v2", "patch_task_instance_dry_run_by_map_index"),
}
"""Lists whose DAG cannot be a wildcard."""

EMPTY = {
    ("v1", "get_import_errors"),
    ("v2", "get_import_errors"),
    ("v1", "get_task_instance_tries"),
    ("v1", "get_mapped_task_instance_tries"),
}
"""Lists that are empty with a wildcard: there are no import errors, and no such task instance."""


def _any_task(operation: str) -> dict[str, str]:
    return {"task_id": "~"} if "xcom" in operation.lower() else {}


@pytest.mark.parametrize(
    ("version", "operation"),
    [
        (version, operation["operationId"])
        for version in VERSIONS
        for path, _, operation in operations(version)
        if "{dag_id}" in path and not path.endswith("/list")
    ],
)
def test_request_for_another_dag_is_forbidden(
    limited: FlaskClient, version: str, operation: str
) -> None:
    authenticated(limited, "ann", version)

    for dag_id in (THEIRS[0], "unknown"):
        assert any_operation.request(limited, version, operation, dag_id).status_code == 403
    authenticated(limited, "admin", version)
    kept = any_operation.request(limited, version, "get_dag_run", THEIRS[0]).get_json()
    assert (kept["state"], kept["note"]) == ("success", None)


@pytest.mark.parametrize("version", VERSIONS)
def test_dags_paused_by_a_pattern_are_those_that_the_user_may_see(
    limited: FlaskClient, version: str
) -> None:
    authenticated(limited, "ann", version)
    assert any_operation.request(limited, version, "patch_dags", "~").status_code == 200

    store = limited.application.extensions["store"]
    paused = {dag_id: store.dags.get(dag_id).is_paused for dag_id in (*MINE, *THEIRS)}
    assert paused == {**dict.fromkeys(MINE, True), **dict.fromkeys(THEIRS, False)}


@pytest.mark.parametrize(
    ("version", "operation"),
    [
        ("v1", "get_dag_runs_batch"),
        ("v1", "get_task_instances_batch"),
        ("v2", "get_list_dag_runs_batch"),
        ("v2", "get_task_instances_batch"),
    ],
)
def test_filter_in_a_body_cannot_name_another_dag(
    limited: FlaskClient, version: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"dag_ids": [THEIRS[0], MINE[0]]}
    monkeypatch.setitem(any_operation.BODIES, (version, operation), body)
    authenticated(limited, "ann", version)

    answer = any_operation.request(limited, version, operation, "~", dag_run_id="~")

    assert SECRET not in answer.text
    assert answer.get_json()["total_entries"] == (1 if "dag_runs" in operation else 3)
