"""Threads that change the same runs: no deadlock, no unexpected error, and correct counters."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import func, select, text
from xcom_server import errors
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.runs import NewRun
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.sql.tables import dag, dag_run, task_instance
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskKey

from tests.support.databases import emptied
from tests.support.stores import OpenBackend

pytestmark = pytest.mark.slow

THREADS = 6
OPERATIONS = 150
"""The number of operations of each thread."""

RUNS = ["r0", "r1", "r2"]
DAGS = ["a", "b"]
TASKS = ["t0", "t1"]
SETTLED = {None: "skipped", "running": "failed"}

Operation = Callable[[XComStore, random.Random], object]


def _run(source: random.Random) -> tuple[str, str]:
    return source.choice(DAGS), source.choice(RUNS)


def _keys(source: random.Random) -> list[TaskKey]:
    dag_id = source.choice(DAGS)
    return [TaskKey(dag_id, run_id, task) for run_id in RUNS for task in TASKS]


def _trigger(store: XComStore, source: random.Random) -> object:
    dag_id, run_id = _run(source)
    now = datetime.now(UTC)
    return store.runs.trigger(
        NewRun(
            dag_id=dag_id,
            run_id=run_id,
            logical_date=now,
            run_after=now,
            data_interval_start=None,
            data_interval_end=None,
        )
    )


_numbers = count()


def _create(store: XComStore, source: random.Random) -> object:
    key = XComKey(*_run(source), source.choice(TASKS), -1, f"key{next(_numbers)}")
    return store.create(key, "1")


OPERATIONS_ON_RUNS: list[Operation] = [
    _trigger,
    _create,
    lambda store, source: store.runs.get(*_run(source)),
    lambda store, source: store.runs.list(Filter.of(), limit=100),
    lambda store, source: store.task_instances.list(Filter.of(), limit=100),
    lambda store, source: store.runs.set_state(*_run(source), "failed", SETTLED),
    lambda store, source: store.runs.set_note(*_run(source), "noted"),
    lambda store, source: store.runs.clear(*_run(source), restarting=True),
    lambda store, source: store.runs.delete(*_run(source), even_if_running=True),
    lambda store, source: store.task_instances.set_state(_keys(source), "success"),
    lambda store, source: store.task_instances.clear(
        _keys(source), restarting=True, reset_runs=True
    ),
    lambda store, source: store.task_instances.delete(source.choice(_keys(source))),
    lambda store, source: store.dags.set_paused(source.choice(DAGS), source.random() < 0.3),
    lambda store, source: store.dags.delete(source.choice(DAGS)),
]

EXPECTED = (
    errors.AlreadyExists,
    errors.DagNotFound,
    errors.RunExists,
    errors.RunNotFound,
    errors.TaskInstanceNotFound,
    errors.TaskIsRunning,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, database_url: str, open_backend: OpenBackend) -> Backend:
    """Return an empty database that several connections can use."""
    if request.param == "postgresql":
        database_url = emptied(request.getfixturevalue("postgres_url"))
    return open_backend(emptied(database_url))


def test_concurrent_changes_of_runs_end_without_an_error(shared: Backend) -> None:
    store = SqlXComStore(shared)

    def work(number: int) -> None:
        source = random.Random(number)
        for _ in range(OPERATIONS):
            try:
                source.choice(OPERATIONS_ON_RUNS)(store, source)
            except EXPECTED:
                continue

    with _deadlocks(shared) as deadlocks, ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))

    assert deadlocks() == 0
    assert _counters(shared) == _counted(shared)


@contextmanager
def _deadlocks(backend: Backend) -> Iterator[Callable[[], int]]:
    """Yield a function that returns the number of deadlocks since the start of the block."""

    def total() -> int:
        if backend.dialect.name == "sqlite":
            return 0
        with backend.engine.connect() as connection:
            query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            return int(connection.execute(text(query)).scalar_one())

    before = total()
    yield lambda: total() - before


def _counters(backend: Backend) -> dict[str, tuple[int, int]]:
    """Return the stored numbers of runs and task instances of each DAG."""
    with backend.engine.connect() as connection:
        rows = connection.execute(select(dag.c.dag_id, dag.c.runs, dag.c.task_instances)).all()
    return {dag_id: (runs, instances) for dag_id, runs, instances in rows}


def _counted(backend: Backend) -> dict[str, tuple[int, int]]:
    """Return the numbers of rows of each DAG."""

    def counts(table: object) -> object:
        where = table.c.dag_id == dag.c.dag_id  # type: ignore[attr-defined]
        return select(func.count()).where(where).scalar_subquery()

    with backend.engine.connect() as connection:
        rows = connection.execute(
            select(dag.c.dag_id, counts(dag_run), counts(task_instance))  # type: ignore[call-overload]
        ).all()
    return {dag_id: (runs, instances) for dag_id, runs, instances in rows}
