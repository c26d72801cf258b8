"""Writers of one SQLite file take turns: who has written waits behind others, nobody for ever."""

import fcntl
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from xcom_server.storage import opening
from xcom_server.storage.database.writer_lock import WriterLock, WriterLockTimeout
from xcom_server.storage.models import XComFilter, XComKey
from xcom_server.storage.sql.store import SqlXComStore

from tests.support.stores import OpenBackend, limited
from tests.support.waiting import until

NAME = XComKey("d", "r", "t", -1, "k")
TURNS = 10
"""How many turns each of two processes takes."""

PATIENCE_SECONDS = 60
"""How long a turn is waited for: a guard against waiting for ever."""

SPAWN = multiprocessing.get_context("spawn")

WRITES: dict[str, Callable[[SqlXComStore], object]] = {
    "create": lambda store: store.create(NAME, "2"),
    "update": lambda store: store.replace_value(NAME, "2"),
    "delete": lambda store: store.delete(NAME),
}


def is_waited_for(path: str) -> bool:
    """Say whether some process waits for its turn at this database."""
    with open(f"{path}-queue") as queue:
        try:
            fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def take_turns(path: str, turns: int, name: str, order: Path) -> None:
    """Take some turns, and end each of them only once another process waits for its own."""
    for _ in range(turns):
        with WriterLock(path, PATIENCE_SECONDS).acquire():
            with order.open("a") as output:
                output.write(f"{name}\n")
            until(lambda: is_waited_for(path))


def write_once(url: str, write: str) -> None:
    """Write to the store as another process does."""
    backend = opening.open_backend(url, limited(lock_timeout_seconds=PATIENCE_SECONDS))
    WRITES[write](SqlXComStore(backend))
    backend.close()


def test_two_processes_that_write_all_the_time_alternate(tmp_path: Path) -> None:
    path, order = str(tmp_path / "xcom.db"), tmp_path / "order"
    with ProcessPoolExecutor(1, SPAWN) as pool:
        with WriterLock(path, PATIENCE_SECONDS).acquire():
            other = pool.submit(take_turns, path, TURNS, "other", order)
            until(lambda: is_waited_for(path))
        take_turns(path, TURNS - 1, "this", order)
        with WriterLock(path, PATIENCE_SECONDS).acquire():
            other.result(60)

    assert order.read_text().split() == ["other", "this"] * (TURNS - 1) + ["other"]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_waits_is_done_before_whoever_had_the_turn_has_it_again(
    database_url: str, write: str, open_backend: OpenBackend
) -> None:
    path = database_url.removeprefix("sqlite:///")
    store = SqlXComStore(open_backend(database_url))
    store.create(replace(NAME, key="other"), "1")  # so that the task instance is known
    if write != "create":
        store.create(NAME, "1")
    with ProcessPoolExecutor(1, SPAWN) as pool:
        with WriterLock(path, PATIENCE_SECONDS).acquire():
            waiting = pool.submit(write_once, database_url, write)
            until(lambda: is_waited_for(path))
        with WriterLock(path, PATIENCE_SECONDS).acquire():
            found = {entry.key for entry in store.list(XComFilter(), limit=9).entries}
            value = store.get(NAME).value if NAME.key in found else None
        waiting.result(60)

    assert value == (None if write == "delete" else "2")


def test_whoever_gets_no_turn_is_told_in_time(tmp_path: Path) -> None:
    turns = WriterLock(str(tmp_path / "xcom.db"), timeout_seconds=0.05)

    with turns.acquire(), pytest.raises(WriterLockTimeout), turns.acquire():
        pass
    with turns.acquire():  # and the locks are free again
        pass


def test_the_turn_of_a_process_that_died_is_over(tmp_path: Path) -> None:
    hold = (
        "import sys, time; from xcom_server.storage.database.writer_lock import WriterLock\n"
        "with WriterLock(sys.argv[1], 1).acquire(): print(flush=True); time.sleep(60)"
    )
    path = str(tmp_path / "xcom.db")
    with subprocess.Popen([sys.executable, "-c", hold, path], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(WriterLockTimeout), WriterLock(path, timeout_seconds=0.02).acquire():
            pass
        child.kill()

    with WriterLock(path, timeout_seconds=5).acquire():
        pass


def test_whatever_name_a_database_is_known_by_its_writers_take_turns(
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


def test_a_lock_that_may_only_be_read_is_good_enough(tmp_path: Path) -> None:
    for name in ("xcom.db-queue", "xcom.db-turn"):
        (tmp_path / name).touch(mode=0o444)

    with WriterLock(str(tmp_path / "xcom.db"), timeout_seconds=0.05).acquire():
        pass


def test_the_locks_can_be_used_by_whoever_can_use_the_database(tmp_path: Path) -> None:
    database = tmp_path / "xcom.db"
    database.touch()
    database.chmod(0o660)

    with WriterLock(str(database), timeout_seconds=0.05).acquire():
        assert {path.stat().st_mode & 0o777 & ~0o660 for path in tmp_path.iterdir()} == {0}


def test_whoever_waited_before_waits_no_longer_in_all(tmp_path: Path) -> None:
    patient = WriterLock(str(tmp_path / "xcom.db"), 3600)

    with (
        patient.acquire(),
        pytest.raises(WriterLockTimeout),
        patient.acquire(since=time.monotonic() - 3600),
    ):
        pass
