"""Commands that read create and change nothing, whatever is at the path of the database."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import click
import pytest
from xcom_server.cli.main import main
from xcom_server.storage.sql.schema import HEAD

from tests.support.cli import outcome, run_command
from tests.support.commands import xcom_server
from tests.support.live_server import LiveServer
from tests.support.slow_keys import add_slow_keys

READING = {
    ("db", "check"): (),
    ("db", "current"): (),
    ("export",): ("--all",),
    ("user", "list"): (),
}
"""The commands that read, with their arguments."""

WRITING = {
    ("db", "upgrade"),
    ("seed",),
    ("serve",),
    ("health",),  # it writes nothing either, but opens no database
    ("user", "add"),
    ("user", "remove"),
}

OF_DATABASE = {command: READING[command] for command in READING if command[0] != "user"}

Contents = dict[str, tuple[Any, ...]]


def commands(group: click.Group, *parents: str) -> Iterator[tuple[str, ...]]:
    """Yield every command of a group and its subgroups."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *parents, name)
        else:
            yield (*parents, name)


def contents(folder: Path) -> Contents:
    """Return all that can be seen of the files in a folder; SQLite may rebuild the index `-shm`."""
    return {
        str(path): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns if path.suffix != ".db-shm" else 0,
            path.read_bytes() if path.is_file() and path.suffix != ".db-shm" else b"",
        )
        for path in sorted([folder, *folder.rglob("*")])
    }


def test_every_command_is_known_to_read_or_to_write() -> None:
    assert {*commands(main)} == {*READING, *WRITING}


@pytest.mark.parametrize("command", READING, ids=" ".join)
@pytest.mark.parametrize("name", ["missing.db", "missing/xcom.db"])
def test_mistyped_path_is_one_line_and_nothing_is_created(
    folder: Path, command: tuple[str, ...], name: str
) -> None:
    before = contents(folder)
    environ = {"XCOM_DATABASE_URL": f"sqlite:///{name}", "XCOM_USERS_FILE": f"{name}.json"}

    status, output, errors = outcome(run_command(*command, *READING[command], environ=environ))

    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("Error: ")
    assert "not exist" in errors or "No such file" in errors
    assert name in errors
    assert contents(folder) == before


def closed(path: Path, empty: Path) -> None:
    """A database as a stopped server leaves it."""
    shutil.copy(empty, path)


def without_wal_mode(path: Path, empty: Path) -> None:
    with closing(sqlite3.connect(empty)) as connection:
        connection.execute(f"VACUUM INTO '{path}'")


def with_hot_log(path: Path, empty: Path) -> None:
    """A database as a killed server leaves it: its last changes are in the log only."""
    used = path.with_name("used.db")
    shutil.copy(empty, used)
    with closing(sqlite3.connect(used)) as connection:  # the last to close removes the log
        connection.execute("SELECT * FROM dag")
        add_slow_keys(f"sqlite:///{used}", 1)
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(f"{used}{suffix}", f"{path}{suffix}")
    used.unlink()


@pytest.mark.parametrize("command", OF_DATABASE, ids=" ".join)
@pytest.mark.parametrize("make", [closed, without_wal_mode, with_hot_log])
def test_database_is_read_and_not_changed(
    folder: Path,
    empty_database: Path,
    command: tuple[str, ...],
    make: Callable[[Path, Path], None],
) -> None:
    make(folder / "xcom.db", empty_database)
    before = contents(folder)

    status, output, errors = outcome(run_command(*command, *OF_DATABASE[command]))

    assert (status, errors) == (0, "")
    assert contents(folder) == before
    if command == ("export",):
        assert ('"dag_id"' in output) is (make is with_hot_log)


@pytest.mark.parametrize("command", OF_DATABASE, ids=" ".join)
def test_older_schema_is_not_upgraded(folder: Path, command: tuple[str, ...]) -> None:
    with closing(sqlite3.connect("xcom.db")) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    before = contents(folder)

    status, output, errors = outcome(run_command(*command, *OF_DATABASE[command]))

    assert contents(folder) == before
    if command == ("db", "current"):
        assert (status, output, errors) == (0, "0001\n", "")
    else:
        assert (status, output) == (1, "")
        assert errors == (
            f"Error: The database is at schema 0001, but this server needs {HEAD}."
            " Run: xcom-server db upgrade\n"
        )


@pytest.mark.parametrize("command", OF_DATABASE, ids=" ".join)
def test_log_without_its_index_is_refused(
    folder: Path, empty_database: Path, command: tuple[str, ...]
) -> None:
    """SQLite would have to create the index."""
    with_hot_log(folder / "xcom.db", empty_database)
    (folder / "xcom.db-shm").unlink()
    before = contents(folder)

    status, output, errors = outcome(run_command(*command, *OF_DATABASE[command]))

    assert (status, output) == (1, "")
    assert errors == (
        f"Error: {folder}/xcom.db-wal has changes that are not in the database yet."
        " Run: xcom-server db upgrade\n"
    )
    assert contents(folder) == before
    run_command("db", "upgrade")
    assert outcome(run_command("db", "current")) == (0, f"{HEAD}\n", "")


def test_database_that_changes_during_an_export_is_reported(
    folder: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may start meanwhile; without a log, the export takes no locks."""
    shutil.copy(empty_database, folder / "xcom.db")
    from xcom_server.cli import database

    def write(lists: Any) -> None:
        add_slow_keys("sqlite:///xcom.db", 1)

    monkeypatch.setattr(database, "_write_object", write)
    status, _, errors = outcome(run_command("export", "--all"))

    assert (status, errors) == (
        1,
        f"Error: {folder}/xcom.db was changed while it was read. Try again.\n",
    )


def test_empty_file_has_no_schema(folder: Path) -> None:
    (folder / "xcom.db").touch()
    before = contents(folder)

    assert outcome(run_command("db", "current")) == (0, "none\n", "")
    assert run_command("db", "check").exit_code == 1
    assert run_command("export").exit_code == 1
    assert contents(folder) == before


def test_failed_seed_creates_no_database(folder: Path) -> None:
    (folder / "bad.json").write_text("{")
    before = contents(folder)

    assert run_command("seed", "bad.json").exit_code == 1
    assert contents(folder) == before


@pytest.fixture
def readable() -> Iterator[Path]:
    """Yield a folder that other users can read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.parametrize("command", OF_DATABASE, ids=" ".join)
@pytest.mark.parametrize("make", [closed, with_hot_log])
def test_folder_of_another_user_is_read(
    readable: Path,
    empty_database: Path,
    command: tuple[str, ...],
    make: Callable[[Path, Path], None],
) -> None:
    make(readable / "xcom.db", empty_database)
    for path in readable.iterdir():
        path.chmod(0o644)
    environ = {"XCOM_DATABASE_URL": f"sqlite:///{readable}/xcom.db"}
    run_command(*command, *OF_DATABASE[command], environ=environ)  # imports what the command needs
    before = contents(readable)

    os.seteuid(65534)
    try:
        result = run_command(*command, *OF_DATABASE[command], environ=environ)
    finally:
        os.seteuid(0)

    assert (result.exit_code, result.stderr) == (0, "")
    assert contents(readable) == before


@pytest.mark.slow
def test_running_server_is_read(tmp_path: Path, empty_database: Path) -> None:
    shutil.copy(empty_database, tmp_path / "xcom.db")
    with LiveServer(tmp_path) as server:
        urlopen(f"{server.api}/dags", timeout=30).close()  # the worker keeps its connection
        before = {name for name in contents(tmp_path) if "xcom.db" in name}
        for command, arguments in OF_DATABASE.items():
            done = xcom_server(
                tmp_path, *command, *arguments, XCOM_DATABASE_URL=server.database_url
            )
            assert (done.returncode, done.stderr) == (0, "")
        assert {name for name in contents(tmp_path) if "xcom.db" in name} == before
