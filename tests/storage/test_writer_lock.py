"""Writers of one SQLite file take turns: nobody waits long, and nobody for ever."""

import multiprocessing
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from xcom_server.factory import limits
from xcom_server.settings import Settings
from xcom_server.storage.database.engine import open_engine, turns_of
from xcom_server.storage.database.executor import Database
from xcom_server.storage.database.writer_lock import WriterLock, WriterLockTimeout
from xcom_server.storage.models import XComKey
from xcom_server.storage.sql.store import XComStore

WRITERS = 8
SECONDS = 3
START_SECONDS = 5
ROUNDS = 3
SPAWN = multiprocessing.get_context("spawn")


def write_for_a_while(url: str, number: int, start: float) -> tuple[int, float]:
    """Return how many entries one process wrote from then on, and how long the slowest took."""
    engine = open_engine(url, limits(Settings(lock_timeout_seconds=30)))
    store = XComStore(Database(engine))
    waits: list[float] = []
    time.sleep(max(0, start - time.monotonic()))
    end = start + SECONDS
    while (begun := time.monotonic()) < end:
        store.create(XComKey("d", "r", "t", -1, f"{number}-{len(waits)}"), "1")
        waits.append(time.monotonic() - begun)
    engine.dispose()
    return len(waits), max(waits, default=0)


def contend(url: str) -> list[tuple[int, float]]:
    """Let eight processes write at once; return what each says."""
    with ProcessPoolExecutor(WRITERS, SPAWN) as pool:
        start = time.monotonic() + START_SECONDS
        running = [pool.submit(write_for_a_while, url, number, start) for number in range(WRITERS)]
        return [each.result(120) for each in running]


def test_of_eight_writing_processes_the_slowest_write_takes_less_than_half_a_second(
        tmp_path: Path, empty_database: Path, count_case: Callable[..., None]) -> None:
    for attempt in range(ROUNDS):  # a disk that stalls is not what this is about
        url = f"sqlite:///{shutil.copy(empty_database, tmp_path / f'{attempt}.db')}"
        outcomes = contend(url)
        counts = [count for count, _ in outcomes]
        slowest = max(longest for _, longest in outcomes)
        count_case("writes of eight processes to one SQLite file", sum(counts))
        if slowest < 0.5 and min(counts) * 4 > max(counts):  # each gets its share
            return
    pytest.fail(f"the slowest write took {slowest:.2f} s; writes by process: {counts}")


def test_whoever_gets_no_turn_is_told_in_time(tmp_path: Path) -> None:
    turns = WriterLock(str(tmp_path / "xcom.db"), timeout_seconds=0.05)

    with turns.turn(), pytest.raises(WriterLockTimeout), turns.turn():
        pass
    with turns.turn():  # and the locks are free again
        pass


def test_the_turn_of_a_process_that_died_is_over(tmp_path: Path) -> None:
    hold = ("import sys, time; from xcom_server.storage.database.writer_lock import WriterLock\n"
            "with WriterLock(sys.argv[1], 1).turn(): print(flush=True); time.sleep(60)")
    path = str(tmp_path / "xcom.db")
    with subprocess.Popen([sys.executable, "-c", hold, path], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(WriterLockTimeout), WriterLock(path, timeout_seconds=0.02).turn():
            pass
        child.kill()

    with WriterLock(path, timeout_seconds=5).turn():
        pass


def test_whatever_name_a_database_is_known_by_its_writers_take_turns(
        tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link.db").symlink_to(path)
    monkeypatch.chdir(path.parent)
    urls = ["sqlite:///xcom.db", f"sqlite:///{tmp_path}/elsewhere/link.db",
            f"sqlite:///file:{path}?uri=true", f"sqlite:///file://localhost{path}?uri=true"]
    all_turns = [turns_of(open_engine(url, limits(Settings(lock_timeout_seconds=0.02)))) for url in urls]

    with turns_of(open_engine(database_url)).turn():
        monkeypatch.chdir(tmp_path / "elsewhere")
        for turns in all_turns:
            with pytest.raises(WriterLockTimeout), turns.turn():
                pass


def test_a_lock_that_may_only_be_read_is_good_enough(tmp_path: Path) -> None:
    for name in ("xcom.db-queue", "xcom.db-turn"):
        (tmp_path / name).touch(mode=0o444)

    with WriterLock(str(tmp_path / "xcom.db"), timeout_seconds=0.05).turn():
        pass


def test_the_locks_can_be_used_by_whoever_can_use_the_database(tmp_path: Path) -> None:
    database = tmp_path / "xcom.db"
    database.touch()
    database.chmod(0o660)

    with WriterLock(str(database), timeout_seconds=0.05).turn():
        assert {path.stat().st_mode & 0o777 & ~0o660 for path in tmp_path.iterdir()} == {0}


def test_whoever_waited_before_waits_no_longer_in_all(tmp_path: Path) -> None:
    patient = WriterLock(str(tmp_path / "xcom.db"), 3600)

    with patient.turn(), pytest.raises(WriterLockTimeout), patient.turn(since=time.monotonic() - 3600):
        pass
