"""Query plans of DAG runs and task instances: pages and look-ups are read from an index.

`full` has statistics, and PostgreSQL's generic plans are checked too: it uses one for a prepared
statement after some executions, with parameters that it does not know.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.opening import open_backend
from xcom_server.storage.queries import Filter, Order
from xcom_server.storage.runs import NewRun
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.task_instances import TaskKey

from tests.storage.test_statements import BY_INDEX, statements
from tests.support.databases import emptied

pytestmark = pytest.mark.slow

RUN = "run{}"
INSTANCE = TaskKey("dag1", RUN.format(5), "task3")
BY_MAP_INDEX = [Order("map_index")]
DATE = datetime(2025, 1, 1, tzinfo=UTC)
NEW_RUN = NewRun(
    dag_id="dag1",
    run_id="new",
    logical_date=DATE,
    run_after=DATE,
    data_interval_start=None,
    data_interval_end=None,
)


def fill(connection: Connection) -> None:
    """Store 1,000 runs of ten DAGs, each with 50 task instances."""
    is_sqlite = connection.dialect.name == "sqlite"
    numbers = {
        name: "SELECT 0 n" + "".join(f" UNION ALL SELECT {n}" for n in range(1, end))
        for name, end in (("d", 10), ("r", 100), ("t", 50))
    }
    date = "'2024-01-01 00:00:00.000000'" + ("" if is_sqlite else "::timestamptz")
    # In an order of insertion in which the runs of all DAGs alternate.
    id_ = "printf('%012d', {})" if is_sqlite else "lpad(({})::text, 12, '0')"
    for statement in (
        f"INSERT INTO dag (dag_id, version_id, created_at, runs, task_instances)"
        f" SELECT 'dag' || d.n, '', {date}, 100, 5000 FROM ({numbers['d']}) d",
        f"INSERT INTO dag_run (dag_id, run_id, logical_date, run_after, id)"
        f" SELECT 'dag' || d.n, 'run' || r.n, {date}, {date}, {id_.format('r.n * 10 + d.n')}"
        f" FROM ({numbers['d']}) d, ({numbers['r']}) r",
        f"INSERT INTO task_instance (dag_id, task_id, run_id, map_index, id)"
        f" SELECT 'dag' || d.n, 'task' || t.n, 'run' || r.n, -1,"
        f" {id_.format('(r.n * 10 + d.n) * 50 + t.n')}"
        f" FROM ({numbers['d']}) d, ({numbers['r']}) r, ({numbers['t']}) t",
    ):
        connection.exec_driver_sql(statement)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """Yield each kind of database with 50,000 task instances and current statistics."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'xcom.db'}"
    backend = open_backend(emptied(url))
    with backend.engine.begin() as connection:
        fill(connection)
    if request.param == "postgresql":  # autovacuum does this within a minute
        with backend.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    yield backend
    backend.close()
    if request.param == "postgresql":
        emptied(url)


CALLS: dict[str, Callable[[SqlXComStore], Any]] = {
    "a run": lambda store: store.runs.get("dag1", RUN.format(5)),
    "a task instance": lambda store: store.task_instances.get(INSTANCE),
    "tasks of a DAG": lambda store: store.dags.task_ids("dag1"),
    "running runs of a DAG": lambda store: store.dags.count_running("dag1"),
    "log": lambda store: store.task_instances.log(INSTANCE, 1),
    "tries": lambda store: store.task_instances.tries(INSTANCE),
    "runs of a DAG": lambda store: store.runs.list(Filter.of("dag1"), limit=100),
    "task instances of a run": lambda store: store.task_instances.list(
        Filter.of("dag1", RUN.format(5)), limit=100
    ),
    "task instances of a run, by map index": lambda store: store.task_instances.list(
        Filter.of("dag1", RUN.format(5)), limit=100, order=BY_MAP_INDEX
    ),
    "trigger and delete": lambda store: store.runs.delete(
        "dag1", store.runs.trigger(NEW_RUN).run_id, even_if_running=True
    ),
}

ORDERED: dict[str, Callable[[SqlXComStore], Any]] = {
    "runs": lambda store: store.runs.list(Filter.of(), limit=100),
    "task instances of a DAG": lambda store: store.task_instances.list(
        Filter.of("dag1"), limit=100
    ),
    "task instances": lambda store: store.task_instances.list(Filter.of(), limit=100),
    "task instances of a DAG, by map index": lambda store: store.task_instances.list(
        Filter.of("dag1"), limit=100, order=BY_MAP_INDEX
    ),
    "task instances, by map index": lambda store: store.task_instances.list(
        Filter.of(), limit=100, order=BY_MAP_INDEX
    ),
}
"""Lists whose rows are read in the order of an index, so that few are read."""

READS = re.compile("(scan|search) .*(xcom|task_instance|dag_run)", re.IGNORECASE)
SORTS = re.compile("temp b-tree|sort", re.IGNORECASE)


def plans(backend: Backend, call: Callable[[SqlXComStore], Any]) -> Iterator[list[str]]:
    """Yield the lines of the plans of each statement of a call."""
    with statements(backend) as sent:
        call(SqlXComStore(backend))
    with backend.engine.connect() as connection:
        for statement, parameters in sent:
            yield _plan(connection, statement, parameters)
            if _may_get_generic_plan(connection, statement):
                yield _generic_plan(connection, statement, parameters)


def _may_get_generic_plan(connection: Connection, statement: str) -> bool:
    """Return whether PostgreSQL may use a generic plan.

    That of a page costs more than one for the actual limit, and so is not used.
    """
    is_postgresql = connection.dialect.name == "postgresql"
    return is_postgresql and statement.startswith("SELECT") and "LIMIT" not in statement


def _plan(connection: Connection, statement: str, parameters: Any) -> list[str]:
    explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    rows = connection.exec_driver_sql(explain + statement, parameters)
    return [str(row[-1]) for row in rows]


def _generic_plan(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """Return PostgreSQL's plan for any parameters."""
    names = [*dict.fromkeys(re.findall(r"%\((\w+)\)s", statement))]
    for number, name in enumerate(names, 1):
        statement = statement.replace(f"%({name})s", f"${number}")
    driver: Any = connection.connection.driver_connection
    given = ", ".join(psycopg.sql.Literal(parameters[name]).as_string(driver) for name in names)
    cursor = driver.cursor()
    cursor.execute("SET plan_cache_mode = force_generic_plan")
    cursor.execute(f"PREPARE each AS {statement}".encode())
    cursor.execute("EXPLAIN EXECUTE each" + (f" ({given})" if given else ""))
    lines = [str(row[-1]) for row in cursor.fetchall()]
    cursor.execute("DEALLOCATE each")
    cursor.execute("RESET plan_cache_mode")
    return lines


@pytest.mark.parametrize("call", [*CALLS.values(), *ORDERED.values()], ids=[*CALLS, *ORDERED])
def test_every_statement_uses_an_index(full: Backend, call: Callable[[SqlXComStore], Any]) -> None:
    for lines in plans(full, call):
        assert all(map(BY_INDEX.search, filter(READS.search, lines))), lines


@pytest.mark.parametrize("call", ORDERED.values(), ids=ORDERED)
def test_first_page_is_read_in_the_order_of_an_index(
    full: Backend, call: Callable[[SqlXComStore], Any]
) -> None:
    for lines in plans(full, call):
        assert not any(map(SORTS.search, lines)), lines
