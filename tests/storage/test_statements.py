"""The SQL of each operation: number of statements, columns and use of indexes."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

import psycopg
import pytest
from sqlalchemy import Connection, event, text
from xcom_server import seed_file
from xcom_server.errors import EntryNotFound, RunNotFound
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import XComKey
from xcom_server.storage.opening import open_backend
from xcom_server.storage.queries import Comparison, Filter, Order
from xcom_server.storage.runs import NewRun
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.task_instances import TaskKey

from tests.support.databases import emptied

pytestmark = pytest.mark.slow

RUN = "scheduled__2024-01-01T00:00:00+00:00_{}"
ENTRIES = 100_000
NAME = XComKey("dag1", RUN.format(5), "task3", -1, "key7")
NEW = replace(NAME, key="new")
ELSEWHERE = XComKey("new", "new", "new", -1, "new")
INSTANCE = TaskKey(NAME.dag_id, NAME.run_id, NAME.task_id)
FAILED = Filter.of("dag1", conditions=(((Comparison("state", "eq", "failed"),),),))
DATE = datetime(2024, 1, 1, tzinfo=UTC)
TRIGGERED = NewRun(
    dag_id=NAME.dag_id,
    run_id="triggered",
    logical_date=None,
    run_after=DATE,
    data_interval_start=None,
    data_interval_end=None,
)

Statement = tuple[str, Any]


BEGINS_OR_ENDS = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")


@contextmanager
def statements(backend: Backend) -> Iterator[list[Statement]]:
    """Yield the statements that a backend sends in the block, except those of transactions.

    They are recorded in the drivers, so that statements that bypass SQLAlchemy are included.
    """
    sent: list[Statement] = []

    def record(statement: str, parameters: Any = None) -> None:
        if not statement.startswith(BEGINS_OR_ENDS):
            sent.append((statement, parameters))

    class RecordingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
            record(query, params)
            return super().execute(query, params, **options)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            record(query, params_seq[0])
            super().executemany(query, params_seq, **options)

    def listen(connection: Any, *_: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(record)
        else:
            connection.cursor_factory = RecordingCursor

    event.listen(backend.engine, "checkout", listen)
    yield sent
    event.remove(backend.engine, "checkout", listen)
    with backend.engine.connect() as connection:  # the only connection of the pool
        if isinstance(driver := connection.connection.dbapi_connection, sqlite3.Connection):
            driver.set_trace_callback(None)
        else:
            driver.cursor_factory = psycopg.Cursor  # type: ignore[union-attr]


CALLS: dict[str, tuple[Callable[[SqlXComStore], Any], int]] = {
    "get": (lambda store: store.get(NAME), 1),
    "create, of a known task instance": (lambda store: store.create(NEW, "1"), 1),
    "create, of an unknown run": (lambda store: store.create(ELSEWHERE, "1"), 6),
    "patch": (lambda store: store.replace_value(NAME, "2"), 1),
    "patch, by ETag": (
        lambda store: store.replace_value(NAME, "2", if_match=[store.get(NAME).etag]),
        2,
    ),
    "delete": (lambda store: store.delete(NAME), 1),
    "list": (lambda store: store.list(Filter.of("dag1"), limit=100), 1),
    "list, of any DAG": (lambda store: store.list(Filter.of(), limit=100), 1),
    "list, another page": (lambda store: store.list(Filter.of(), limit=100, offset=7), 1),
    "readiness": (lambda store: store.check(), 1),
    # No run is under way, so that no step is due.
    "run": (lambda store: store.runs.get("dag1", NAME.run_id), 1),
    "runs": (lambda store: store.runs.list(Filter.of("dag1"), limit=100), 1),
    "runs, filtered": (lambda store: store.runs.list(FAILED, limit=100), 2),
    "runs, another page": (lambda store: store.runs.list(Filter.of(), limit=1, offset=1), 2),
    "task instance": (lambda store: store.task_instances.get(INSTANCE), 1),
    "task instances": (lambda store: store.task_instances.list(Filter.of("dag1"), limit=100), 1),
    "task instances, filtered": (lambda store: store.task_instances.list(FAILED, limit=100), 2),
    "DAG": (lambda store: store.dags.get("dag1"), 1),
    "DAGs": (lambda store: store.dags.list(Filter.of(), limit=100), 1),
    "DAGs, empty page": (lambda store: store.dags.list(Filter.of("no"), limit=100), 1),
    "trigger": (lambda store: store.runs.trigger(TRIGGERED), 7),
    "trigger, of an unknown DAG": (
        lambda store: store.runs.trigger(replace(TRIGGERED, dag_id="new")),
        6,
    ),
    "pause": (lambda store: store.dags.set_paused("dag1", True), 2),
    "unpause": (lambda store: store.dags.set_paused("dag1", False), 4),
}


@pytest.mark.parametrize("call", CALLS)
def test_operation_runs_a_fixed_number_of_statements(backend: Backend, call: str) -> None:
    store = SqlXComStore(backend)
    store.create(NAME, "1")
    run, number = CALLS[call]

    with statements(backend) as sent:
        run(store)

    assert len(sent) == number, sent


KIND = re.compile(r"SELECT|(INSERT INTO|UPDATE|DELETE FROM) \w+")


def test_step_changes_only_what_it_moves(backend: Backend) -> None:
    store = SqlXComStore(backend)
    tasks = [{"task_id": "a"}, {"task_id": "b", "upstream": ["a"], "mapped": 3}]
    script = {
        "states": ["queued", "running", "running", "success"],
        "tasks": {"b": {"entries": {"k": 1, "l": 2}, "log": "x"}},
    }
    dag = {"dag_id": "dag1", "tasks": tasks, "script": script}
    store.load(seed_file.read(json.dumps({"dags": [dag]})))
    store.runs.trigger(TRIGGERED)

    kinds = []
    for _ in range(5):
        with statements(backend) as sent:
            store.runs.get("dag1", "triggered")
        found = [KIND.match(statement) for statement, _ in sent]
        kinds.append([*dict.fromkeys(match[0] for match in found if match)])

    moved = ["SELECT", "UPDATE task_instance"]
    results = ["INSERT INTO xcom", "INSERT INTO task_try"]
    assert kinds == [
        [*moved, "UPDATE dag_run"],
        [*moved, "UPDATE dag_run"],
        [*moved, *results, "UPDATE dag_run"],
        ["SELECT"],
        ["SELECT"],
    ]


@pytest.mark.parametrize(
    "change",
    [lambda store: store.replace_value(NAME, "2"), lambda store: store.delete(NAME)],
    ids=["replace", "delete"],
)
def test_change_of_a_missing_entry_runs_at_most_two_statements(
    backend: Backend, change: Callable[[SqlXComStore], Any]
) -> None:
    with statements(backend) as sent, pytest.raises(EntryNotFound):
        change(SqlXComStore(backend))

    assert len(sent) <= 2, sent


def test_list_does_not_select_values(backend: Backend) -> None:
    store = SqlXComStore(backend)
    store.create(NAME, "1")

    with statements(backend) as sent:
        store.list(Filter.of("dag1"), limit=100, order=[Order("timestamp", True)])

    assert not [statement for statement, _ in sent if re.search(r"\bvalue\b", statement)]


def fill(connection: Connection) -> None:
    """Store 100,000 entries: ten DAGs of a hundred runs of ten tasks, each with ten keys."""
    numbers = {
        name: "SELECT 0 n" + "".join(f" UNION ALL SELECT {n}" for n in range(1, end))
        for name, end in (("d", 10), ("r", 100), ("t", 10), ("k", 10))
    }
    run = f"'{RUN.format('')}' || r.n"
    instance = f"({numbers['d']}) d, ({numbers['r']}) r, ({numbers['t']}) t"
    date = "'2024-01-01 00:00:00.000000'"
    if connection.dialect.name == "postgresql":
        date += "::timestamptz"
    for statement in (
        f"INSERT INTO dag (dag_id, version_id, created_at, runs, task_instances)"
        f" SELECT 'dag' || d.n, '', {date}, 100, 1000 FROM ({numbers['d']}) d",
        f"INSERT INTO dag_run (dag_id, run_id, logical_date, run_after)"
        f" SELECT 'dag' || d.n, {run}, {date}, {date}"
        f" FROM ({numbers['d']}) d, ({numbers['r']}) r",
        f"INSERT INTO task_instance (dag_id, task_id, run_id, map_index)"
        f" SELECT 'dag' || d.n, 'task' || t.n, {run}, -1 FROM {instance}",
        f"INSERT INTO xcom SELECT 'dag' || d.n, 'task' || t.n, {run}, -1, 'key' || k.n,"
        f" {date}, '\"a value\"', 1 FROM {instance}, ({numbers['k']}) k",
    ):
        connection.exec_driver_sql(statement)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Backend]:
    """Yield each kind of database with 100,000 entries and current statistics."""
    if request.param == "postgresql":
        url = emptied(request.getfixturevalue("postgres_url"))
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('full') / 'xcom.db'}"
    backend = open_backend(url)
    schema.upgrade(backend)
    with backend.engine.begin() as connection:
        fill(connection)
    if request.param == "postgresql":  # autovacuum does this within a minute
        with backend.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    yield backend
    backend.close()
    if request.param == "postgresql":
        emptied(url)


BY_INDEX = re.compile(r"\bindex\b|bitmap", re.IGNORECASE)


def plan(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """Return the lines of a query plan that show how entries and task instances are read.

    A full scan of the DAG runs is allowed, since they are few.
    """
    explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    lines = [str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)]
    return [
        line
        for line in lines
        if re.search("(scan|search) .*(xcom|task_instance)", line, re.IGNORECASE)
    ]


LISTS: dict[str, tuple[Filter, int]] = {
    "a task instance": (Filter.of("dag1", RUN.format(5), "task3"), 10),
    "a run": (Filter.of("dag1", RUN.format(5)), 100),
    "a task": (Filter.of("dag1", None, "task3"), 1000),
    "a DAG": (Filter.of("dag1"), 10_000),
    "everything": (Filter.of(), ENTRIES),
    "a run of any DAG": (Filter.of(run_id=RUN.format(5)), 1000),
    "a task of any DAG": (Filter.of(task_id="task3"), 10_000),
    "a key of any DAG": (Filter.of(key="key7"), 10_000),
    "a key of a DAG": (Filter.of("dag1", key="key7"), 1000),
    "a map index": (Filter.of("dag1", map_index=3), 0),
    "permitted DAGs": (Filter.of(dag_ids=frozenset({"dag1", "dag2"})), 20_000),
    "a pattern": (Filter.of("dag1", conditions=(((Comparison("key", "like", "%EY7"),),),)), 1000),
}
"""Filters and the number of entries that match each."""


@pytest.mark.parametrize(
    "call",
    [
        *(run for run, _ in CALLS.values()),
        *(
            lambda store, wanted=wanted, offset=offset: store.list(wanted, limit=100, offset=offset)
            for wanted, _ in LISTS.values()
            for offset in (0, 5000)
        ),
    ],
    ids=[*CALLS, *(f"{name}, offset {offset}" for name in LISTS for offset in (0, 5000))],
)
def test_every_statement_uses_an_index(full: Backend, call: Callable[[SqlXComStore], Any]) -> None:
    with statements(full) as sent, _restored(full) as store:
        call(store)

    with full.engine.connect() as connection:
        for statement, parameters in sent:
            for line in plan(connection, statement, parameters):
                assert BY_INDEX.search(line), (line, statement)


@contextmanager
def _restored(backend: Backend) -> Iterator[SqlXComStore]:
    """Yield a store and restore its entries afterwards."""
    store = SqlXComStore(backend)
    yield store
    for name in (NEW, ELSEWHERE):
        with suppress(EntryNotFound):
            store.delete(name)
    for run in (TRIGGERED, replace(TRIGGERED, dag_id="new")):
        with suppress(RunNotFound):
            store.runs.delete(run.dag_id, run.run_id, even_if_running=True)
    try:
        store.get(NAME)
    except EntryNotFound:
        store.create(NAME, "1")


@pytest.mark.parametrize(("wanted", "matching"), LISTS.values(), ids=LISTS)
def test_total_counts_the_filter_for_any_page(full: Backend, wanted: Filter, matching: int) -> None:
    store = SqlXComStore(full)

    for limit, offset in ((1, 0), (100, 0), (7, 3), (100, 2 * ENTRIES)):
        page = store.list(wanted, limit=limit, offset=offset)
        assert page.total_entries == matching
        assert len(page.entries) == min(limit, max(0, matching - offset))
