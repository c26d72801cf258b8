"""While its SQLite file cannot be used the server says so, and goes on once it can be."""

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

pytestmark = pytest.mark.slow

Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[LiveServer]:
    """Yield a server whose file is in a folder of its own."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "data").mkdir()
    shutil.copy(empty_database, folder / "data" / "xcom.db")
    with LiveServer(folder, XCOM_DATABASE_URL=f"sqlite:///{folder}/data/xcom.db") as live:
        yield live


@pytest.fixture
def file(server: LiveServer) -> Path:
    return server.folder / "data" / "xcom.db"


@pytest.fixture
def call(server: LiveServer) -> Call:
    """Return a function that calls an operation; there is an entry `old`, and none `new`."""

    def made(*arguments: Any) -> Answer:
        with Client(server.url) as client:
            return client.call(*arguments)

    for key in ("old", "new"):
        made("v2", "delete", key)
    assert made("v2", "create", "old", "as it was").status == 201
    return made


def refused(call: Call, operations: list[tuple[str, str]], value: str = "never") -> None:
    def ask(operation: tuple[str, str]) -> Answer:
        key = "new" if operation[1] == "create" else "old"
        return call(*operation, key, value)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (version, _), answer in zip(operations, pool.map(ask, operations), strict=True):
            says_unavailable(version, answer)


def is_as_before(call: Call) -> bool:
    """Say whether nothing was stored that was refused, and writes are accepted again."""
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
def largest_file(server: LiveServer, size: int) -> Iterator[None]:
    """Make every file of the workers end at this size, as a full disk would, without being root."""
    pids = server.workers()
    limit_files(pids, size)
    try:
        yield
    finally:
        limit_files(pids, resource.RLIM_INFINITY)


def test_writes_that_do_not_fit_on_the_disk_are_refused(
    server: LiveServer, file: Path, call: Call
) -> None:
    before = workers(server)
    larger = "x" * 500_000

    with largest_file(server, 200_000):
        refused(call, [each for each in WRITES if each[1] != "delete"], larger)
        assert [call(*operation, "old").status for operation in READS] == [200] * len(READS)

    assert is_as_before(call)
    assert workers(server) == before


def test_a_file_that_somebody_else_writes_to_is_read_and_not_waited_for_long(
    file: Path, call: Call
) -> None:
    """Somebody who does not know of the turns that the server's writers take."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        refused(call, WRITES)
        assert [call(*operation, "old").status for operation in READS] == [200] * len(READS)
        other.execute("ROLLBACK")

    assert is_as_before(call)


@contextmanager
def removed(file: Path) -> Iterator[None]:
    """The file and what belongs to it are elsewhere."""
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
    """Even the folder is gone, so that no file can be opened."""
    with removed(file):
        file.parent.rmdir()
        try:
            yield
        finally:
            file.parent.mkdir()


@contextmanager
def turned_to_junk(file: Path) -> Iterator[None]:
    """Another file is in its place, which is no database."""
    with removed(file):
        file.write_bytes(b"this is no database" * 1000)
        yield


@pytest.mark.parametrize("outage", [removed, without_its_folder, turned_to_junk])
def test_without_its_file_the_server_refuses_all_and_invents_nothing(
    server: LiveServer, file: Path, call: Call, outage: Callable[[Path], Any]
) -> None:
    with outage(file):
        refused(call, list(OPERATIONS))
        ready = readiness(server)

    assert ready.status == 503
    assert "database" in str(ready.body).lower()
    assert is_as_before(call)
    assert readiness(server).status == 200


def test_a_file_that_replaces_the_old_one_is_used_at_once(
    file: Path, call: Call, empty_database: Path
) -> None:
    """What is stored from then on is in the new file."""
    new = file.with_name("new.db")
    for leftover in file.parent.glob("xcom.db-*"):
        leftover.unlink()
    shutil.copy(empty_database, new)
    new.replace(file)

    assert [call(version, "get", "old").status for version in ("v1", "v2")] == [404, 404]
    assert call("v2", "create", "new", "v").status == 201
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT key FROM xcom").fetchall() == [("new",)]


def test_a_file_that_may_be_read_alone_is_read(tmp_path: Path, empty_database: Path) -> None:
    """SQLite is told so by the URL: the rights to a file do not bind root."""
    shutil.copy(empty_database, tmp_path / "xcom.db")
    url = f"sqlite:///file:{tmp_path}/xcom.db?mode=ro&uri=true"
    with LiveServer(tmp_path, workers=1, XCOM_DATABASE_URL=url) as server:

        def call(*arguments: Any) -> Answer:
            with Client(server.url) as client:
                return client.call(*arguments)

        refused(call, WRITES)
        assert [call(version, "list").status for version in ("v1", "v2")] == [200, 200]
