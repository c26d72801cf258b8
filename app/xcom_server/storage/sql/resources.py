"""What can be listed, and by which columns: entries, DAG runs, task instances and DAGs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    Select,
    Table,
    bindparam,
    case,
    func,
    literal_column,
    select,
)

from xcom_server.states import INTERNAL_TYPES
from xcom_server.storage.dags import Dag
from xcom_server.storage.models import ListedEntry
from xcom_server.storage.runs import DagRun
from xcom_server.storage.sql.tables import OF_ENTRY, column_of, dag, dag_run, task_instance, xcom
from xcom_server.storage.task_instances import TaskInstance

Columns = Mapping[str, ColumnElement[Any]]
_ONE: ColumnElement[int] = literal_column(
    "1"
)  # as a LIMIT, it is part of the statement instead of a parameter
_NO_LENGTH: ColumnElement[int] = literal_column("0")


class Join(NamedTuple):
    """A table with columns of a listed row; with `outer`, SQLite reads it after the main table."""

    table: Table
    on: ColumnElement[bool]
    outer: bool = True


@dataclass(frozen=True, eq=False, kw_only=True)
class Resource:
    """A table whose rows can be listed.

    `fields` are the columns by which a list can be filtered and ordered, `listed` those of a row.
    `order` are the fields by which ties sort. `counter` is the column of `dag` with the number of
    rows of a DAG, if there is one. `few_per` is a field that has the same value in few rows.
    `count_hint` is a condition that every row meets, and that makes SQLite count the rows in an
    index. `long_texts` are the listed columns whose texts can be long.
    """

    table: Table
    joins: tuple[Join, ...]
    fields: Columns
    listed: tuple[ColumnElement[Any], ...]
    order: tuple[str, ...]
    counter: Column[int] | None = None
    few_per: str = ""
    count_hint: ColumnElement[bool] | None = None
    long_texts: tuple[ColumnElement[Any], ...] = ()

    @property
    def bounded(self) -> tuple[ColumnElement[Any], ...]:
        """The columns of a row, without texts longer than the parameter `longest`.

        The last column is the number of characters of all long texts.
        """
        columns = [
            case((func.length(each) <= bindparam("longest", None, Integer), each)).label(None)
            if any(each is text for text in self.long_texts)
            else each
            for each in self.listed
        ]
        lengths = [func.coalesce(func.length(each), 0) for each in self.long_texts]
        return (*columns, sum(lengths[1:], lengths[0]) if lengths else _NO_LENGTH)


def due_runs() -> Select[Any]:
    """Return the SELECT of the runs whose scripts have a step that was due at the parameter `now`.

    The runs of a paused DAG do not change.
    """
    is_due = dag_run.c.step_at <= bindparam("now", None)
    return select(dag_run.c.dag_id, dag_run.c.run_id).where(is_due, *_may_step())


def is_due() -> ColumnElement[bool]:
    """Return whether there is a run in `due_runs`; NULL is no.

    The earliest step is read from the index of steps. An EXISTS with the parameter would have a
    generic plan in PostgreSQL that reads many runs, so that each execution would be planned anew.
    """
    steps = select(dag_run.c.step_at).where(*_may_step()).order_by(dag_run.c.step_at).limit(_ONE)
    return steps.scalar_subquery() <= bindparam("now", None, dag_run.c.step_at.type)


def _may_step() -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for a run with a step at a time, whose DAG is not paused.

    A subquery, because SQLite would read the DAGs first in a join.
    """
    is_paused = select(dag.c.is_paused).where(dag.c.dag_id == dag_run.c.dag_id).correlate(dag_run)
    return dag_run.c.step_at.is_not(None), is_paused.scalar_subquery().is_not(True)


def _columns(table: Table, *names: str) -> dict[str, ColumnElement[Any]]:
    return {name: table.c[name] for name in names}


ENTRIES = Resource(
    table=xcom,
    joins=(Join(dag_run, OF_ENTRY, outer=False),),
    fields={field: column_of(field) for field in ListedEntry._fields},
    listed=tuple(column_of(field) for field in ListedEntry._fields),
    order=("dag_id", "task_id", "run_id", "map_index", "key"),
    count_hint=xcom.c.dag_id >= "",
)

DAG_OF_RUN = Join(dag, dag.c.dag_id == dag_run.c.dag_id)
_FROM_DAG = ("display_name", "version_id", "created_at", "is_paused")


def _has_task_instances() -> ColumnElement[bool]:
    """Return whether a run has task instances.

    It is not an EXISTS, for which PostgreSQL may read all task instances into a hash table.
    """
    found = select(task_instance.c.map_index).where(
        task_instance.c.dag_id == dag_run.c.dag_id, task_instance.c.run_id == dag_run.c.run_id
    )
    return found.correlate(dag_run).limit(_ONE).scalar_subquery().is_not(None)


RUN_COLUMNS = [
    *((dag if name in _FROM_DAG else dag_run).c[name] for name in DagRun._fields[:-1]),
    _has_task_instances(),
]
RUNS = Resource(
    table=dag_run,
    joins=(DAG_OF_RUN,),
    fields={
        **dict(dag_run.c),
        "external_trigger": dag_run.c.run_type.not_in(INTERNAL_TYPES),
    },
    listed=(*RUN_COLUMNS, is_due()),
    order=("id",),
    counter=dag.c.runs,
    long_texts=(dag_run.c.conf, dag_run.c.note),
)

RUN_OF_INSTANCE = Join(
    dag_run,
    (dag_run.c.dag_id == task_instance.c.dag_id) & (dag_run.c.run_id == task_instance.c.run_id),
)
DAG_OF_INSTANCE = Join(dag, dag.c.dag_id == task_instance.c.dag_id)
_ELSEWHERE = {
    "logical_date": dag_run.c.logical_date,
    "run_after": dag_run.c.run_after,
    "dag_display_name_or_none": dag.c.display_name,
    "version_id": dag.c.version_id,
    "created_at": dag.c.created_at,
}
INSTANCE_COLUMNS = [
    _ELSEWHERE[name] if name in _ELSEWHERE else task_instance.c[name]
    for name in TaskInstance._fields
]
_OF_RUN = ("logical_date", "run_after", "data_interval_start", "data_interval_end")
TASK_INSTANCES = Resource(
    table=task_instance,
    joins=(RUN_OF_INSTANCE, DAG_OF_INSTANCE),
    fields={
        **dict(task_instance.c),
        **_columns(dag_run, *_OF_RUN),
        "display_name": func.coalesce(task_instance.c.display_name, task_instance.c.task_id),
        "operator_name": func.coalesce(task_instance.c.operator_name, task_instance.c.operator),
    },
    listed=(*INSTANCE_COLUMNS, is_due()),
    order=("id",),
    counter=dag.c.task_instances,
    long_texts=(task_instance.c.note, task_instance.c.details),
    few_per="run_id",
)


def _of_newest_run(column: Column[Any]) -> ColumnElement[Any]:
    """Return a column of the newest run that has started, as Airflow chooses the last run."""
    return (
        select(column)
        .where(dag_run.c.dag_id == dag.c.dag_id, dag_run.c.start_date.is_not(None))
        .order_by(dag_run.c.id.desc())
        .limit(1)
        .correlate(dag)
        .scalar_subquery()
    )


DAGS = Resource(
    table=dag,
    joins=(),
    fields={
        **dict(dag.c),
        "display_name": func.coalesce(dag.c.display_name, dag.c.dag_id),
        "last_run_state": _of_newest_run(dag_run.c.state),
        "last_run_start_date": _of_newest_run(dag_run.c.start_date),
        "last_run_end_date": _of_newest_run(dag_run.c.end_date),
    },
    listed=tuple(dag.c[field] for field in Dag._fields),
    order=("dag_id",),
    long_texts=(dag.c.definition,),
)
