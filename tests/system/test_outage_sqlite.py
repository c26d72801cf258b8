"""While the SQLite file cannot be used, operations are unavailable; then the server recovers."""

import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.http_client import (
    AT_ONCE,
    OPERATIONS,
    READS,
    WRITES,
    Answer,
    Client,
    says_unavailable,
)
from tests.support.live_server import LiveServer
from tests.support.processes import limit_files
from tests.support.waiting import until

pytestmark = pytest.mark.slow

Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[LiveServer]:
    """Yield a server whose database file has its own folder."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "data").mkdir()
    shutil.copy(empty_database, folder / "data" / "xcom.db")
    with LiveServer(folder, XCOM_DATABASE_URL=f"sqlite:///{folder}/data/xcom.db") as live:
        until(lambda: len(live.workers()) == 2)  # the second may still be starting
        yield live


@pytest.fixture
def file(server: LiveServer) -> Path:
    return server.folder / "data" / "xcom.db"


@pytest.fixture
def call(server: LiveServer) -> Call:
    """Return a function that calls an operation; the entry `old` exists and `new` does not."""

    def send(*arguments: Any) -> Answer:
        with Client(server.url) as client:
            return client.call(*arguments)

    for key in ("old", "new"):
        send("v2", "delete", key)
    assert send("v2", "create", "old", "as it was").status == 201
    return send


def assert_unavailable(call: Call, operations: list[tuple[str, str]], value: str = "never") -> None:
    def ask(operation: tuple[str, str]) -> Answer:
        key = "new" if operation[1] == "create" else "old"
        return call(*operation, key, value)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (version, _), response in zip(operations, pool.map(ask, operations), strict=True):
            says_unavailable(version, response)


def is_unchanged(call: Call) -> bool:
    """Return whether no rejected write was stored and writes are accepted again."""
    return (
        call("v2", "get", "old").body["value"] == "as it was"
        and [call(version, "create", "new").status for version in ("v1", "v2")] == [200, 409]
        and call("v1", "update", "old").status == 200
    )


def readiness(server: LiveServer) -> Answer:
    with Client(server.url) as client:
        assert client.ask("GET", "/live").status == 200
        return client.ask("GET", "/ready")


def workers(server: LiveServer) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children()


@contextmanager
def file_size_limit(server: LiveServer, size: int) -> Iterator[None]:
    """Limit the size of the workers' files, which simulates a full disk without being root."""
    pids = server.workers()
    limit_files(pids, size)
    try:
        yield
    finally:
        limit_files(pids, resource.RLIM_INFINITY)


def test_writes_larger_than_the_disk_are_unavailable(
    server: LiveServer, file: Path, call: Call
) -> None:
    before = workers(server)
    larger = "x" * 500_000

    with file_size_limit(server, 200_000):
        assert_unavailable(call, [each for each in WRITES if each[1] != "delete"], larger)
        assert [call(*operation, "old").status for operation in READS] == [200] * len(READS)

    assert is_unchanged(call)
    assert workers(server) == before


def test_locked_file_serves_reads_and_rejects_writes(file: Path, call: Call) -> None:
    """The other writer does not use the server's writer lock."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert_unavailable(call, WRITES)
        assert [call(*operation, "old").status for operation in READS] == [200] * len(READS)
        other.execute("ROLLBACK")

    assert is_unchanged(call)


@contextmanager
def removed(file: Path) -> Iterator[None]:
    """Move the file and its companions to another folder."""
    kept = file.parent.with_name("kept")
    file.parent.rename(kept)
    file.parent.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(file.parent)
        kept.rename(file.parent)


@contextmanager
def without_its_folder(file: Path) -> Iterator[None]:
    """Remove the folder too, so that no file can be opened."""
    with removed(file):
        file.parent.rmdir()
        try:
            yield
        finally:
            file.parent.mkdir()


@contextmanager
def replaced_by_junk(file: Path) -> Iterator[None]:
    """Put a file in its place that is not a database."""
    with removed(file):
        file.write_bytes(b"this is no database" * 1000)
        yield


@pytest.mark.parametrize("outage", [removed, without_its_folder, replaced_by_junk])
def test_every_operation_is_unavailable_without_the_file(
    server: LiveServer, file: Path, call: Call, outage: Callable[[Path], Any]
) -> None:
    with outage(file):
        assert_unavailable(call, list(OPERATIONS))
        ready = readiness(server)

    assert ready.status == 503
    assert "database" in str(ready.body).lower()
    assert is_unchanged(call)
    assert readiness(server).status == 200


def test_replaced_file_is_used_at_once(file: Path, call: Call, empty_database: Path) -> None:
    """New entries are stored in the new file."""
    new = file.with_name("new.db")
    for leftover in file.parent.glob("xcom.db-*"):
        leftover.unlink()
    shutil.copy(empty_database, new)
    new.replace(file)

    assert [call(version, "get", "old").status for version in ("v1", "v2")] == [404, 404]
    assert call("v2", "create", "new", "v").status == 201
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT key FROM xcom").fetchall() == [("new",)]


def test_read_only_file_serves_reads_and_rejects_writes(
    tmp_path: Path, empty_database: Path
) -> None:
    """The URL makes it read-only, because file permissions do not apply to root."""
    shutil.copy(empty_database, tmp_path / "xcom.db")
    url = f"sqlite:///file:{tmp_path}/xcom.db?mode=ro&uri=true"
    with LiveServer(tmp_path, workers=1, XCOM_DATABASE_URL=url) as server:

        def call(*arguments: Any) -> Answer:
            with Client(server.url) as client:
                return client.call(*arguments)

        assert_unavailable(call, WRITES)
        assert [call(version, "list").status for version in ("v1", "v2")] == [200, 200]
