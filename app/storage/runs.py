"""Which DAG runs and task instances exist, and how a write to unknown ones registers them."""

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, select
from sqlalchemy.exc import IntegrityError

from app.dates import parse_rfc3339
from app.errors import DagNotFound, DateMismatch, RunNotFound, TaskInstanceNotFound
from app.storage.entry import XComKey
from app.storage.tables import dag_run, task_instance

# scheduled__2024-01-01T00:00:00+00:00, or manual__… with the random suffix of Airflow 3
_DATED_RUN_ID = re.compile(r"[a-z_]+?__(?P<date>\d{4}-\d{2}-\d{2}T[^_]+)(_\w+)?", re.ASCII)

_PARENTS = (
    select(dag_run.c.logical_date, task_instance.c.task_id.is_not(None).label("has_instance"))
    .select_from(dag_run.outerjoin(task_instance, and_(
        task_instance.c.dag_id == dag_run.c.dag_id,
        task_instance.c.run_id == dag_run.c.run_id,
        task_instance.c.task_id == bindparam("task_id"),
        task_instance.c.map_index == bindparam("map_index"))))
    .where(dag_run.c.dag_id == bindparam("dag_id"), dag_run.c.run_id == bindparam("run_id"))
)


def date_in_run_id(run_id: str) -> datetime | None:
    """Return the date that a run id such as `scheduled__2024-01-01T00:00:00+00:00` carries."""
    match = _DATED_RUN_ID.fullmatch(run_id)
    try:
        return parse_rfc3339(match["date"]) if match else None
    except ValueError:
        return None


def require(connection: Connection, name: XComKey) -> datetime | None:
    """Return the logical date of an entry's DAG run.

    Raises DagNotFound, RunNotFound or TaskInstanceNotFound: the first that is not registered.
    """
    found = _parents(connection, name)
    if found is not None and found.has_instance:
        return found.logical_date  # type: ignore[no-any-return]
    missing = (TaskInstanceNotFound if found is not None
               else RunNotFound if _has_dag(connection, name.dag_id) else DagNotFound)
    raise missing(name.dag_id, name.run_id, name.task_id, name.map_index)


def ensure(connection: Connection, name: XComKey, given: datetime | None) -> datetime | None:
    """Register an entry's DAG run and task instance where unknown; return the run's date.

    A new run gets the date that its id carries, else the one given, else now.
    """
    found = _parents(connection, name)
    if found is not None and found.has_instance:
        return found.logical_date  # type: ignore[no-any-return]
    date = date_in_run_id(name.run_id) or given or datetime.now(UTC)
    stored = ensure_run(connection, name.dag_id, name.run_id, date, date)
    _insert_once(connection, task_instance, {
        "dag_id": name.dag_id, "run_id": name.run_id, "task_id": name.task_id,
        "map_index": name.map_index})
    return stored


def ensure_run(connection: Connection, dag_id: str, run_id: str, logical_date: datetime | None,
               run_after: datetime) -> datetime | None:
    """Register a DAG run with these dates unless it is; return the logical date it has."""
    stored = select(dag_run.c.logical_date).where(
        dag_run.c.dag_id == dag_id, dag_run.c.run_id == run_id)
    found = connection.execute(stored).one_or_none()
    if found is None:
        _insert_once(connection, dag_run, {"dag_id": dag_id, "run_id": run_id,
                                           "logical_date": logical_date, "run_after": run_after})
        found = connection.execute(stored).one()
    return found.logical_date  # type: ignore[no-any-return]


def refuse_mismatch(given: datetime | None, stored: datetime | None) -> None:
    """Raise DateMismatch where the date given for a DAG run is not the one it has."""
    if given is not None and given != stored:
        raise DateMismatch("logical_date", stored)


def _parents(connection: Connection, name: XComKey) -> Any:
    return connection.execute(_PARENTS, {
        "dag_id": name.dag_id, "run_id": name.run_id,
        "task_id": name.task_id, "map_index": name.map_index}).one_or_none()


def _has_dag(connection: Connection, dag_id: str) -> bool:
    runs = select(dag_run.c.run_id).where(dag_run.c.dag_id == dag_id).limit(1)
    return connection.execute(runs).first() is not None


def _insert_once(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert a row, or leave it to the other writer that was faster."""
    try:
        with connection.begin_nested():
            connection.execute(table.insert().values(row))
    except IntegrityError:
        pass
