"""An SQLite file that is removed while the server runs: 503 until it is back, and no new file."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.commands import xcom_server
from tests.support.live_server import LiveServer
from tests.support.waiting import until

pytestmark = pytest.mark.slow

ENTRIES = "/api/v2/dags/d/dagRuns/r/taskInstances/t/xcomEntries"


class Server(LiveServer):
    """A server whose database has its own folder, so that its disk can be unmounted."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        super().__init__(folder, XCOM_DATABASE_URL="sqlite:///data/xcom.db")

    def statuses(self) -> set[int]:
        """Return the statuses of a read and a write, over enough connections for each worker."""
        found = set()
        for number in range(8):
            found.add(httpx.get(f"{self.url}{ENTRIES}/kept", timeout=30).status_code)
            body = {"key": f"new{number}", "value": 1}
            found.add(httpx.post(f"{self.url}{ENTRIES}", json=body, timeout=30).status_code)
        return found

    def replace_workers(self, kill: int) -> None:
        """Kill a worker, or reload all with SIGHUP, and wait for the replacements."""
        old = self.workers()
        if kill == signal.SIGHUP:
            self.process.send_signal(signal.SIGHUP)
        else:
            os.kill(old[0], kill)
        gone = {*old} if kill == signal.SIGHUP else {old[0]}
        until(lambda: len(self.workers()) == 2 and not gone & {*self.workers()}, why=self.log_text)
        until(lambda: httpx.get(f"{self.url}/live", timeout=30).status_code == 200)

    def log_text(self) -> str:
        return self.log.read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Yield a server that has created its database and stored an entry."""
    live = Server(tmp_path)
    with live:
        until(lambda: len(live.workers()) == 2)
        answer = httpx.post(f"{live.url}{ENTRIES}", json={"key": "kept", "value": "old"})
        assert answer.status_code == 201
        yield live


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "reload"])
def test_replaced_workers_create_no_database(server: Server, kill: int) -> None:
    away = server.data.with_name("away")
    server.data.rename(away)
    server.data.mkdir()

    assert server.statuses() == {503}
    for _ in range(2):  # each worker is replaced
        server.replace_workers(kill)
        assert server.statuses() == {503}
    assert httpx.get(f"{server.url}/ready").status_code == 503
    assert [*server.data.iterdir()] == []

    server.data.rmdir()
    away.rename(server.data)
    assert httpx.get(f"{server.url}{ENTRIES}/kept").json()["value"] == "old"
    assert server.statuses() == {200, 201}


def test_missing_folder_is_not_created(server: Server) -> None:
    away = server.data.with_name("away")
    server.data.rename(away)

    server.replace_workers(signal.SIGKILL)
    assert server.statuses() == {503}

    assert not server.data.exists()
    away.rename(server.data)
    assert server.statuses() == {200, 201}


def test_empty_file_in_its_place_gets_no_tables(server: Server) -> None:
    for each in server.data.iterdir():
        each.unlink()
    (server.data / "xcom.db").touch()

    server.replace_workers(signal.SIGKILL)

    assert server.statuses() == {503}
    with closing(sqlite3.connect(server.data / "xcom.db")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_file_with_another_schema_in_its_place_is_not_used(server: Server) -> None:
    new = server.folder / "new.db"
    with closing(sqlite3.connect(server.data / "xcom.db")) as other:
        other.execute(f"VACUUM INTO '{new}'")
    with closing(sqlite3.connect(new)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    for each in server.data.iterdir():
        each.unlink()
    new.rename(server.data / "xcom.db")

    assert server.statuses() == {503}
    reason = httpx.get(f"{server.url}/ready").json()["reason"]
    assert reason == "The database has another schema than this server needs."


def test_working_directory_may_be_replaced(server: Server) -> None:
    """The relative path in the URL is resolved once, when the server starts."""
    moved = server.folder.with_name("moved")
    server.folder.rename(moved)
    shutil.copytree(moved / "data", server.folder / "data")
    try:
        server.replace_workers(signal.SIGKILL)
        assert httpx.get(f"{server.url}{ENTRIES}/kept").json()["value"] == "old"
        assert server.statuses() == {200, 201}
        with closing(sqlite3.connect(server.data / "xcom.db")) as other:
            assert other.execute("SELECT count(*) FROM xcom").fetchone() == (9,)
    finally:
        shutil.rmtree(server.folder)
        moved.rename(server.folder)


def test_missing_database_can_be_refused_at_the_first_start(tmp_path: Path) -> None:
    refused = xcom_server(tmp_path, "serve", "--bind", "127.0.0.1:0", "--create-database", "false")

    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (
        1,
        f"xcom-server: XCOM_DATABASE_URL cannot be used: {tmp_path}/xcom.db:"
        " the file does not exist",
    )
    assert [*tmp_path.iterdir()] == []
