"""Which DAG runs and task instances exist, and how a write to unknown ones registers them."""

import re
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from xcom_server.errors import DagNotFound, RunNotFound, TaskInstanceNotFound, TaskNotFound
from xcom_server.formats.rfc3339 import parse_rfc3339
from xcom_server.storage.models import MAX_ID_LENGTH, WILDCARD, RunDates, XComKey
from xcom_server.storage.sql.tables import dag_run, task_instance, xcom
from xcom_server.storage.sql.upsert import insert_or_ignore

# scheduled__2024-01-01T00:00:00+00:00, or manual__… with the random suffix of Airflow 3
_DATED_RUN_ID = re.compile(r".+?__(?P<date>\d{4}-\d{2}-\d{2}T[^_]+)(_\w+)?", re.ASCII)

OF_ENTRY = (dag_run.c.dag_id == xcom.c.dag_id) & (dag_run.c.run_id == xcom.c.run_id)
"""What joins an entry with its DAG run."""

DATES = (dag_run.c.logical_date, dag_run.c.run_after)
"""The columns of RunDates; the first that is not NULL is the `run_date`."""

_FIND_RUN = select(*DATES).where(
    dag_run.c.dag_id == bindparam("dag_id"), dag_run.c.run_id == bindparam("run_id"))
_FIND_PARENTS = (
    _FIND_RUN.add_columns(task_instance.c.task_id.is_not(None).label("has_instance"))
    .select_from(dag_run.outerjoin(task_instance, and_(
        task_instance.c.dag_id == dag_run.c.dag_id,
        task_instance.c.run_id == dag_run.c.run_id,
        task_instance.c.task_id == bindparam("task_id"),
        task_instance.c.map_index == bindparam("map_index"))))
)


def date_in_run_id(run_id: str) -> datetime | None:
    """Return the date that a run id such as `scheduled__2024-01-01T00:00:00+00:00` carries."""
    match = _DATED_RUN_ID.fullmatch(run_id)
    try:
        return parse_rfc3339(match["date"]) if match else None
    except ValueError:
        return None


def require(connection: Connection, name: XComKey) -> RunDates:
    """Return the dates of an entry's DAG run.

    Raises DagNotFound, TaskNotFound, RunNotFound or TaskInstanceNotFound: the first that is not
    registered.
    """
    found = _parents(connection, name)
    if found is not None and found.has_instance:
        return RunDates(found.logical_date, found.run_after)
    missing = (DagNotFound if not _has_dag(connection, name.dag_id)
               else TaskNotFound if not _has_task(connection, name.dag_id, name.task_id)
               else RunNotFound if found is None else TaskInstanceNotFound)
    raise missing(name.dag_id, name.run_id, name.task_id, name.map_index)


def ensure(connection: Connection, name: XComKey, given: datetime) -> RunDates:
    """Register an entry's DAG run and task instance where unknown; return the run's dates.

    A new run gets the date that its id carries, else the one given. Raises DagNotFound,
    TaskNotFound or RunNotFound for an id that nothing can be registered under.
    """
    _refuse_impossible_ids(name)
    found = _parents(connection, name)
    if found is not None and found.has_instance:
        return RunDates(found.logical_date, found.run_after)
    date = date_in_run_id(name.run_id) or given
    stored = ensure_run(connection, name.dag_id, name.run_id, RunDates(date, date))
    insert_or_ignore(connection, task_instance, {
        "dag_id": name.dag_id, "run_id": name.run_id, "task_id": name.task_id,
        "map_index": name.map_index})
    return stored


def ensure_run(connection: Connection, dag_id: str, run_id: str, dates: RunDates) -> RunDates:
    """Register a DAG run with these dates unless it is; return the dates it has."""
    run = {"dag_id": dag_id, "run_id": run_id}
    found = connection.execute(_FIND_RUN, run).one_or_none()
    if found is None:
        insert_or_ignore(connection, dag_run, {**run, **dates._asdict()})
        found = connection.execute(_FIND_RUN, run).one()
    return RunDates(*found)


def _parents(connection: Connection, name: XComKey) -> Any:
    return connection.execute(_FIND_PARENTS, {
        "dag_id": name.dag_id, "run_id": name.run_id,
        "task_id": name.task_id, "map_index": name.map_index}).one_or_none()


def _has_dag(connection: Connection, dag_id: str) -> bool:
    runs = select(dag_run.c.run_id).where(dag_run.c.dag_id == dag_id).limit(1)
    return connection.execute(runs).first() is not None


def _has_task(connection: Connection, dag_id: str, task_id: str) -> bool:
    instances = select(task_instance.c.run_id).where(
        task_instance.c.dag_id == dag_id, task_instance.c.task_id == task_id).limit(1)
    return connection.execute(instances).first() is not None


def _refuse_impossible_ids(name: XComKey) -> None:
    for each, missing in ((name.dag_id, DagNotFound), (name.task_id, TaskNotFound),
                          (name.run_id, RunNotFound)):
        if each == WILDCARD or len(each) > MAX_ID_LENGTH:
            raise missing(name.dag_id, name.run_id, name.task_id, name.map_index)
