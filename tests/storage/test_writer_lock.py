"""The lock of SQLite's writers: fair between processes, and limited by a time-out."""

import fcntl
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from xcom_server.storage import opening
from xcom_server.storage.database.writer_lock import (
    UnsafeLockFile,
    WriterLock,
    WriterLockTimeout,
    check,
)
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.sql.store import SqlXComStore

from tests.support.stores import OpenBackend, limited
from tests.support.waiting import until

pytestmark = pytest.mark.slow

NAME = XComKey("d", "r", "t", -1, "k")
ROUNDS = 10
"""How often each of two processes takes the lock."""

LOCK_TIMEOUT_SECONDS = 60
"""A time-out that is only reached if the lock is broken."""

SPAWN = multiprocessing.get_context("spawn")

WRITES: dict[str, Callable[[SqlXComStore], object]] = {
    "create": lambda store: store.create(NAME, "2"),
    "update": lambda store: store.replace_value(NAME, "2"),
    "delete": lambda store: store.delete(NAME),
}


def is_waited_for(path: str) -> bool:
    """Return whether a process is waiting for the writer lock of this database."""
    with open(f"{path}-queue") as queue:
        try:
            fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def lock_repeatedly(path: str, rounds: int, name: str, order: Path) -> None:
    """Take the lock several times; release it only once another process is waiting for it."""
    for _ in range(rounds):
        with WriterLock(path, LOCK_TIMEOUT_SECONDS).acquire():
            with order.open("a") as output:
                output.write(f"{name}\n")
            until(lambda: is_waited_for(path))


def write_once(url: str, write: str) -> None:
    """Open the store and write to it; runs in another process."""
    backend = opening.open_backend(url, limited(lock_timeout_seconds=LOCK_TIMEOUT_SECONDS))
    WRITES[write](SqlXComStore(backend))
    backend.close()


def test_two_busy_writers_alternate(tmp_path: Path) -> None:
    path, order = str(tmp_path / "xcom.db"), tmp_path / "order"
    Path(path).touch()
    with ProcessPoolExecutor(1, SPAWN) as pool:
        with WriterLock(path, LOCK_TIMEOUT_SECONDS).acquire():
            other = pool.submit(lock_repeatedly, path, ROUNDS, "other", order)
            until(lambda: is_waited_for(path))
        lock_repeatedly(path, ROUNDS - 1, "this", order)
        with WriterLock(path, LOCK_TIMEOUT_SECONDS).acquire():
            other.result(60)

    assert order.read_text().split() == ["other", "this"] * (ROUNDS - 1) + ["other"]


@pytest.mark.parametrize("write", WRITES)
def test_waiting_write_runs_before_the_next_lock_of_the_holder(
    database_url: str, write: str, open_backend: OpenBackend
) -> None:
    path = database_url.removeprefix("sqlite:///")
    store = SqlXComStore(open_backend(database_url))
    store.create(replace(NAME, key="other"), "1")  # so that the task instance is known
    if write != "create":
        store.create(NAME, "1")
    with ProcessPoolExecutor(1, SPAWN) as pool:
        with WriterLock(path, LOCK_TIMEOUT_SECONDS).acquire():
            waiting = pool.submit(write_once, database_url, write)
            until(lambda: is_waited_for(path))
        with WriterLock(path, LOCK_TIMEOUT_SECONDS).acquire():
            found = {entry.key for entry in store.list(Filter.of(), limit=9).entries}
            value = store.get(NAME).value if NAME.key in found else None
        waiting.result(60)

    assert value == (None if write == "delete" else "2")


def test_lock_times_out(tmp_path: Path) -> None:
    (tmp_path / "xcom.db").touch()
    lock = WriterLock(str(tmp_path / "xcom.db"), timeout_seconds=0.05)

    with lock.acquire(), pytest.raises(WriterLockTimeout), lock.acquire():
        pass
    with lock.acquire():  # the lock is free again
        pass


def test_lock_of_a_killed_process_is_released(tmp_path: Path) -> None:
    script = (
        "import sys, time; from xcom_server.storage.database.writer_lock import WriterLock\n"
        "with WriterLock(sys.argv[1], 1).acquire(): print(flush=True); time.sleep(60)"
    )
    path = str(tmp_path / "xcom.db")
    Path(path).touch()
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(WriterLockTimeout), WriterLock(path, timeout_seconds=0.02).acquire():
            pass
        child.kill()

    with WriterLock(path, timeout_seconds=5).acquire():
        pass


def test_urls_of_one_file_share_a_lock(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, open_backend: OpenBackend
) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link.db").symlink_to(path)
    monkeypatch.chdir(path.parent)
    urls = [
        "sqlite:///xcom.db",
        f"sqlite:///{tmp_path}/elsewhere/link.db",
        f"sqlite:///file:{path}?uri=true",
        f"sqlite:///file://localhost{path}?uri=true",
    ]
    backends = [open_backend(url, limited(lock_timeout_seconds=0.02)) for url in urls]

    with open_backend(database_url).writer_lock():
        monkeypatch.chdir(tmp_path / "elsewhere")
        for backend in backends:
            with pytest.raises(WriterLockTimeout), backend.writer_lock():
                pass


def test_read_only_lock_files_can_be_locked(tmp_path: Path) -> None:
    (tmp_path / "xcom.db").touch()
    for name in ("xcom.db-queue", "xcom.db-turn"):
        (tmp_path / name).touch(mode=0o444)

    with WriterLock(str(tmp_path / "xcom.db"), timeout_seconds=0.05).acquire():
        pass


@pytest.mark.parametrize(
    ("of_database", "of_locks"),
    [
        (0o600, 0o600),
        (0o644, 0o600),
        (0o640, 0o600),
        (0o660, 0o660),
        (0o664, 0o660),
        (0o666, 0o666),
    ],
    ids=oct,
)
@pytest.mark.parametrize("before", [None, 0o644])
def test_only_those_who_may_write_to_the_database_can_hold_the_lock(
    tmp_path: Path, of_database: int, of_locks: int, before: int | None
) -> None:
    database = tmp_path / "xcom.db"
    database.touch()
    database.chmod(of_database)
    locks = [tmp_path / f"xcom.db{suffix}" for suffix in ("-queue", "-turn")]
    for lock in locks if before else ():
        lock.touch()
        lock.chmod(0o644)

    with WriterLock(str(database), timeout_seconds=0.05).acquire():
        assert {lock.stat().st_mode & 0o777 for lock in locks} == {of_locks}
    assert database.stat().st_mode & 0o777 == of_database


def test_lock_without_a_database_creates_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), WriterLock(str(tmp_path / "xcom.db"), 1).acquire():
        pass

    assert [*tmp_path.iterdir()] == []


def link(path: Path) -> None:
    path.with_name("target").touch()
    path.symlink_to(path.with_name("target"))


@pytest.mark.parametrize("plant", [link, os.mkfifo, Path.mkdir], ids=["link", "pipe", "folder"])
def test_lock_file_that_is_not_a_file_is_refused(
    tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    (tmp_path / "xcom.db").touch()
    plant(tmp_path / "xcom.db-turn")

    with pytest.raises(OSError, match=r"xcom\.db-turn"):
        check(str(tmp_path / "xcom.db"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_lock_file_of_another_user_is_refused(tmp_path: Path) -> None:
    """Unless others may write to the database, so that they may have created it."""
    database, lock = tmp_path / "xcom.db", tmp_path / "xcom.db-turn"
    for path in (database, lock):
        path.touch()
        path.chmod(0o600)
    os.chown(lock, 65534, -1)

    with pytest.raises(UnsafeLockFile, match=r"xcom\.db-turn belongs to another user"):
        check(str(database))
    database.chmod(0o660)
    check(str(database))
    assert lock.stat().st_uid == database.stat().st_uid


def test_earlier_waiting_counts_towards_the_timeout(tmp_path: Path) -> None:
    (tmp_path / "xcom.db").touch()
    lock = WriterLock(str(tmp_path / "xcom.db"), 3600)

    with (
        lock.acquire(),
        pytest.raises(WriterLockTimeout),
        lock.acquire(since=time.monotonic() - 3600),
    ):
        pass


def test_connections_are_closed_under_the_lock(tmp_path: Path, open_backend: OpenBackend) -> None:
    """Two processes that close at the same time would both leave the write-ahead log."""
    path = tmp_path / "x.db"
    backend = open_backend(f"sqlite:///{path}")
    backend.create_missing()
    with backend.writing.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
    with ThreadPoolExecutor() as executor:
        with WriterLock(str(path), LOCK_TIMEOUT_SECONDS).acquire():
            closing = executor.submit(backend.close)
            until(lambda: is_waited_for(str(path)))
            assert Path(f"{path}-wal").exists()
        closing.result()

    assert not Path(f"{path}-wal").exists()


def test_connections_are_closed_without_a_lock_that_is_not_released(
    tmp_path: Path, open_backend: OpenBackend
) -> None:
    path = tmp_path / "x.db"
    backend = open_backend(f"sqlite:///{path}", limited(lock_timeout_seconds=0.1))
    backend.create_missing()
    with backend.writing.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")

    with WriterLock(str(path), LOCK_TIMEOUT_SECONDS).acquire():
        backend.close()

    assert not Path(f"{path}-wal").exists()
