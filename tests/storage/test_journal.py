"""The journal of requests: none is lost or stored twice, and the newest are kept."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from xcom_server.errors import Unavailable
from xcom_server.storage import opening
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.sqlalchemy_adapter import CompiledStatement
from xcom_server.storage.emulator import MAX_REQUESTS, EmulatorState

from tests.support.stores import limited, lost_connection

MakeState = Callable[..., EmulatorState]

HOSTILE = "\0 \ud800 \udfff é \N{GRINNING FACE} \\u0000 ' \" %s :x"


@pytest.fixture(params=["sqlite", "postgresql"])
def make_state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeState]:
    """Yield a function that opens the state of one database; each result is as of a worker."""
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/x.db" if is_sqlite else request.getfixturevalue("postgres_url")
    with ExitStack() as opened:

        def make(**limits: Any) -> EmulatorState:
            state = opening.open_emulator_state(url, limited(**limits))
            opened.callback(state.close)
            return state

        state = make()
        state.prepare()
        opened.callback(state.reset)
        yield make


@pytest.fixture
def state(make_state: MakeState) -> EmulatorState:
    return make_state()


def numbers(state: EmulatorState) -> list[int]:
    return [record["n"] for _, record in state.requests()]


def test_requests_are_returned_in_order_with_any_characters(state: EmulatorState) -> None:
    state.record({"n": 1, "text": HOSTILE})
    state.record({"n": 2})

    (first, record), (second, _) = state.requests()

    assert record == {"n": 1, "text": HOSTILE}
    assert state.requests(after=first) == [(second, {"n": 2})]


def test_the_newest_are_kept(state: EmulatorState) -> None:
    for number in range(MAX_REQUESTS + 100):
        state.record({"n": number})

    assert numbers(state) == list(range(100, MAX_REQUESTS + 100))


def test_numbers_grow_after_the_journal_was_emptied(state: EmulatorState) -> None:
    state.record({"n": 1})
    ((last, _),) = state.requests()
    state.clear_requests()

    state.record({"n": 2})

    assert [record for _, record in state.requests(after=last)] == [{"n": 2}]


def test_requests_of_many_threads_and_workers_are_stored_once(make_state: MakeState) -> None:
    states = [make_state() for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: states[number % 4].record({"n": number}), range(400)))

    assert sorted(numbers(states[0])) == list(range(400))


def test_a_request_waits_for_a_long_write_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    state = opening.open_emulator_state(url, limited(lock_timeout_seconds=0.3))
    state.prepare()
    with closing(sqlite3.connect(f"{tmp_path}/x.db{opening.EMULATOR_SUFFIX}")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        execute = Executor.execute

        def execute_later(*arguments: Any) -> Any:
            writer.rollback()
            return execute(*arguments)

        monkeypatch.setattr(Executor, "execute", execute_later)
        state.record({"n": 1})

    assert numbers(state) == [1]
    state.close()


def test_a_request_that_may_be_stored_is_not_stored_again(
    state: EmulatorState, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CompiledStatement.run

    def lose(*arguments: Any) -> None:
        run(*arguments)
        raise lost_connection(state._backend)  # type: ignore[attr-defined]

    state.record({"n": 0})
    with monkeypatch.context() as patch:
        patch.setattr(CompiledStatement, "run", lose)
        with pytest.raises(Unavailable) as lost:
            state.record({"n": 1})

    assert lost.value.in_doubt
    assert numbers(state) == [0, 1]


def test_the_file_of_sqlite_is_not_synced(tmp_path: Path) -> None:
    state: Any = opening.open_emulator_state(f"sqlite:///{tmp_path}/x.db", limited())
    state.prepare()

    with state._backend.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 0

    assert state._backend.engine.url.database.endswith(opening.EMULATOR_SUFFIX)
    state.close()
