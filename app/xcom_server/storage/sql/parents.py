"""The parents of entries, which are DAGs, DAG runs and task instances: finding and registering."""

import re
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, literal, select

from xcom_server.errors import DagNotFound, RunNotFound, TaskInstanceNotFound, TaskNotFound
from xcom_server.formats.rfc3339 import parse_rfc3339
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import MAX_ID_LENGTH, RunDates, XComKey
from xcom_server.storage.queries import WILDCARD
from xcom_server.storage.sql import dag_rows, defaults
from xcom_server.storage.sql.tables import RUN_DATES, dag, dag_run, task_instance

# scheduled__2024-01-01T00:00:00+00:00, or manual__… with the random suffix of Airflow 3
_DATED_RUN_ID = re.compile(r".+?__(?P<date>\d{4}-\d{2}-\d{2}T[^_]+)(_\w+)?", re.ASCII)

_FIND_RUN = select(*RUN_DATES).where(
    dag_run.c.dag_id == bindparam("dag_id"), dag_run.c.run_id == bindparam("run_id")
)
_FIND_PARENTS = _FIND_RUN.add_columns(
    task_instance.c.task_id.is_not(None).label("has_instance")
).select_from(
    dag_run.outerjoin(
        task_instance,
        and_(
            task_instance.c.dag_id == dag_run.c.dag_id,
            task_instance.c.run_id == dag_run.c.run_id,
            task_instance.c.task_id == bindparam("task_id"),
            task_instance.c.map_index == bindparam("map_index"),
        ),
    )
)


def date_in_run_id(run_id: str) -> datetime | None:
    """Return the date in a run id such as `scheduled__2024-01-01T00:00:00+00:00`, or None."""
    match = _DATED_RUN_ID.fullmatch(run_id)
    try:
        return parse_rfc3339(match["date"]) if match else None
    except ValueError:
        return None


def get_or_raise(connection: Connection, key: XComKey) -> RunDates:
    """Return the dates of an entry's DAG run.

    Raises DagNotFound, TaskNotFound, RunNotFound or TaskInstanceNotFound, in this order, for the
    first that is not registered.
    """
    row = _parents(connection, key)
    if row is not None and row.has_instance:
        return RunDates(row.logical_date, row.run_after)
    has_dag = _is_registered(connection, dag.c.dag_id == key.dag_id)
    has_task = key.task_id in dag_rows.task_ids(connection, key.dag_id)
    missing = (
        DagNotFound
        if not has_dag
        else TaskNotFound
        if not has_task
        else RunNotFound
        if row is None
        else TaskInstanceNotFound
    )
    raise missing(key.dag_id, key.run_id, key.task_id, key.map_index)


def get_or_create(
    backend: Backend, connection: Connection, key: XComKey, default: datetime
) -> RunDates:
    """Register the DAG, the run and the task instance of an entry if unknown; return the dates.

    A new run gets the date in its id, or the default if there is none. It and the task instance
    have the state success, since the entry exists. Raises DagNotFound, TaskNotFound or RunNotFound
    for an id that cannot be registered.
    """
    _require_valid_ids(key)
    row = _parents(connection, key)
    if row is not None and row.has_instance:
        return RunDates(row.logical_date, row.run_after)
    # Lock the DAG before adding rows; the counts are corrected if another writer was faster.
    dag_rows.register(backend, connection, key.dag_id, runs=int(row is None), task_instances=1)
    date = date_in_run_id(key.run_id) or default
    dates = (
        RunDates(row.logical_date, row.run_after)
        if row is not None
        else _insert_run(backend, connection, key.dag_id, key.run_id, RunDates(date, date))
    )
    instance = {**_instance(key), **defaults.of_instance(key.map_index, dates.run_after, {})}
    if not backend.insert_or_ignore(connection, task_instance, instance):
        dag_rows.count(connection, key.dag_id, task_instances=-1)
    return dates


def _insert_run(
    backend: Backend, connection: Connection, dag_id: str, run_id: str, dates: RunDates
) -> RunDates:
    """Store a run that the DAG's row already counts, unless it exists; return the stored dates."""
    run = {"dag_id": dag_id, "run_id": run_id}
    if backend.insert_or_ignore(connection, dag_run, {**run, **defaults.of_run(run_id, dates, {})}):
        return dates
    dag_rows.count(connection, dag_id, runs=-1)
    return RunDates(*connection.execute(_FIND_RUN, run).one())


def _parents(connection: Connection, key: XComKey) -> Any:
    return connection.execute(_FIND_PARENTS, _instance(key)).one_or_none()


def _instance(key: XComKey) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "key"}


def _is_registered(connection: Connection, *conditions: ColumnElement[bool]) -> bool:
    return connection.execute(select(literal(1)).where(*conditions).limit(1)).first() is not None


def _require_valid_ids(key: XComKey) -> None:
    for name, missing in (
        (key.dag_id, DagNotFound),
        (key.task_id, TaskNotFound),
        (key.run_id, RunNotFound),
    ):
        if name == WILDCARD or len(name) > MAX_ID_LENGTH:
            raise missing(key.dag_id, key.run_id, key.task_id, key.map_index)
