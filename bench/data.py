"""The entries that all contenders serve: a computed layout, stored by bulk loading."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Engine, Table
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.tables import dag, dag_run, task_instance, xcom

KEYS = 100
"""The number of entries of a task instance: one page."""

TASKS = 10
"""The number of tasks of a DAG run."""

_FIRST = datetime(2024, 1, 1, tzinfo=UTC)


class Instance(NamedTuple):
    """The ids of a task instance."""

    dag_id: str
    run_id: str
    task_id: str


@dataclass(frozen=True)
class Layout:
    """The ids and keys of a number of entries, in at most ten DAGs."""

    entries: int

    @property
    def dags(self) -> int:
        """The number of DAGs."""
        return min(10, max(1, self.entries // (KEYS * TASKS)))

    @property
    def runs(self) -> int:
        """The number of runs of each DAG."""
        return max(1, self.entries // (KEYS * TASKS * self.dags))

    @property
    def instances(self) -> int:
        """The number of task instances."""
        return self.dags * self.runs * TASKS

    def instance(self, number: int) -> Instance:
        """Return the ids of a task instance by its number, from 0."""
        run, task = divmod(number, TASKS)
        dag, day = divmod(run, self.runs)
        return Instance(f"dag_{dag}", f"scheduled__{self.date(day).isoformat()}", f"task_{task}")

    def key(self, number: int) -> str:
        """Return the key of an entry by its number, from 0."""
        return f"key_{number % KEYS:03}"

    def date(self, day: int) -> datetime:
        """Return the logical date of a run by its number, from 0."""
        return _FIRST + timedelta(days=day)


def value(number: int) -> str:
    """Return the value of an entry by its number, as JSON text."""
    return f'{{"path": "s3://bucket/part-{number}.parquet", "rows": {number}}}'


def fill(url: str, entries: int) -> Layout:
    """Create the tables in an empty database, and store a number of entries."""
    layout = Layout(entries)
    backend = open_backend(url)
    schema.upgrade(backend)
    engine = backend.engine
    for table, names, rows in (
        (dag, DAG, _dags(layout)),
        (dag_run, RUN, _runs(layout)),
        (task_instance, INSTANCE, _instances(layout)),
        (xcom, ENTRY, _entries(layout)),
    ):
        _load(engine, table, names, rows)
    _settle(engine)
    backend.close()
    return layout


DAG = ("dag_id", "version_id", "created_at", "runs", "task_instances")
RUN = (
    *("dag_id", "run_id", "logical_date", "run_after", "id", "run_type", "conf"),
    *("data_interval_start", "data_interval_end", "queued_at", "start_date", "end_date"),
    *("duration", "last_scheduling_decision", "updated_at"),
)
INSTANCE = (
    *("dag_id", "task_id", "run_id", "map_index", "id", "operator", "operator_name"),
    *("start_date", "end_date", "duration", "queued_when", "scheduled_when", "updated_at"),
)
ENTRY = ("dag_id", "task_id", "run_id", "map_index", "key", "timestamp", "value", "version")
"""The columns of the rows of each table; the others have their defaults."""


def _id(number: int) -> str:
    return str(UUID(int=0x7 << 76 | 0x2 << 62 | number))


def _dags(layout: Layout) -> Iterator[tuple[Any, ...]]:
    for number in range(layout.dags):
        yield f"dag_{number}", _id(number), _FIRST, layout.runs, layout.runs * TASKS


def _runs(layout: Layout) -> Iterator[tuple[Any, ...]]:
    for number in range(0, layout.instances, TASKS):
        date = layout.date(number // TASKS % layout.runs)
        begin, end = date + timedelta(seconds=1), date + timedelta(seconds=2, milliseconds=5)
        ids = *layout.instance(number)[:2], date, date, _id(number), "scheduled"
        yield *ids, f'{{"table": "t{number}"}}', date, date, date, begin, end, 1.005, end, end


def _instances(layout: Layout) -> Iterator[tuple[Any, ...]]:
    for number in range(layout.instances):
        dag_id, run_id, task_id = layout.instance(number)
        date = layout.date(number // TASKS % layout.runs)
        begin, end = date + timedelta(seconds=1), date + timedelta(seconds=2, milliseconds=5)
        ids = dag_id, task_id, run_id, -1, _id(number), "PythonOperator", "@task"
        yield *ids, begin, end, 1.005, date, date, end


def _entries(layout: Layout) -> Iterator[tuple[Any, ...]]:
    for instance in range(layout.instances):
        dag_id, run_id, task_id = layout.instance(instance)
        for number in range(instance * KEYS, (instance + 1) * KEYS):
            yield (
                dag_id,
                task_id,
                run_id,
                -1,
                layout.key(number),
                _FIRST + timedelta(milliseconds=number),
                value(number),
                number,
            )


def _load(
    engine: Engine, table: Table, names: Sequence[str], rows: Iterator[tuple[Any, ...]]
) -> None:
    """Store rows with these columns in bulk."""
    columns = ", ".join(names)
    connection = engine.raw_connection()
    cursor = connection.cursor()
    if engine.dialect.name == "postgresql":
        with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        places = ", ".join("?" for _ in names)
        cursor.execute("BEGIN")
        cursor.executemany(
            f"INSERT INTO {table.name} ({columns}) VALUES ({places})",
            list(map(_for_sqlite, rows)),
        )
    connection.commit()
    connection.close()


def _for_sqlite(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        each.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(each, datetime) else each
        for each in row
    )


def _settle(engine: Engine) -> None:
    """Do the maintenance that would otherwise run during the measurements."""
    statement = (
        "VACUUM ANALYZE"
        if engine.dialect.name == "postgresql"
        else ("PRAGMA wal_checkpoint(TRUNCATE)")
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)
