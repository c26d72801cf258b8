"""The tables: DAGs, DAG runs, task instances with their tries, and XCom entries."""

from typing import Any

import sqlalchemy as sa

from xcom_server import clock
from xcom_server.storage.database.sqlalchemy_adapter import UtcDateTime
from xcom_server.storage.models import MAX_ID_LENGTH, MAX_KEY_LENGTH, RunDates


def _name(length: int) -> sa.String:
    """Return the type of an id or key; it compares byte by byte, so that all databases agree."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _text() -> sa.Text:
    """Return the type of a text by which lists are ordered, in the order of `_name`."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _ids(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _name(MAX_ID_LENGTH), primary_key=True) for name in names]


def _map_index() -> sa.Column[int]:
    return sa.Column("map_index", sa.Integer, primary_key=True, autoincrement=False)


def _dates(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, UtcDateTime) for name in names]


def _count(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default=str(default))


def _filled(name: str, default: str) -> sa.Column[str]:
    return sa.Column(name, _text(), nullable=False, server_default=default)


def _id() -> sa.Column[str]:
    """Return the column of an id that sorts by the time of insertion."""
    return sa.Column("id", _name(36), nullable=False, server_default="", default=clock.new_id)


def _where(condition: str) -> dict[str, Any]:
    """Return the options of an index that contains only the rows that satisfy a condition."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


_TASK_INSTANCE = ("dag_id", "task_id", "run_id", "map_index")


def _of_task_instance() -> sa.ForeignKeyConstraint:
    targets = [f"task_instance.{name}" for name in _TASK_INSTANCE]
    return sa.ForeignKeyConstraint(_TASK_INSTANCE, targets, ondelete="CASCADE")


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)

# `runs` and `task_instances` are the numbers of rows of the DAG in those tables, since counting
# them for each list would take longer with every run. `triggered` numbers the triggered runs.
dag = sa.Table(
    "dag",
    metadata,
    *_ids("dag_id"),
    sa.Column("is_paused", sa.Boolean, server_default=sa.false()),
    sa.Column("is_stale", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("display_name", _text()),
    _filled("owners", "airflow"),
    _filled("tags", ""),
    *_dates("next_dagrun"),
    _filled("definition", "{}"),
    sa.Column("script", sa.Text),
    sa.Column("version_id", _name(36), nullable=False, default=clock.new_id),
    sa.Column("created_at", UtcDateTime, nullable=False, default=clock.now),
    _count("triggered"),
    _count("runs"),
    _count("task_instances"),
)

dag_run = sa.Table(
    "dag_run",
    metadata,
    *_ids("dag_id", "run_id"),
    sa.Column("logical_date", UtcDateTime),
    sa.Column("run_after", UtcDateTime, nullable=False),
    _id(),
    _filled("state", "success"),
    _filled("run_type", "manual"),
    *_dates("data_interval_start", "data_interval_end", "queued_at", "start_date", "end_date"),
    sa.Column("duration", sa.Float),
    *_dates("last_scheduling_decision", "updated_at"),
    sa.Column("triggered_by", _text()),
    sa.Column("triggering_user_name", _text()),
    _filled("conf", "{}"),
    sa.Column("note", _text()),
    # The script of a triggered run: which of the DAG's scripts, the current step (NULL if the run
    # does not change any more), and when the next step is due (NULL if the next read takes it).
    _count("number"),
    sa.Column("step", sa.Integer),
    *_dates("step_at"),
    sa.Index("ix_dag_run_id", "id"),
    sa.Index("ix_dag_run_dag_id_id", "dag_id", "id"),
    sa.Index("ix_dag_run_dag_id_logical_date", "dag_id", "logical_date"),
    sa.Index("ix_dag_run_step_at", "step_at", **_where("step_at IS NOT NULL")),
    sa.Index("ix_dag_run_running", "dag_id", **_where("state = 'running'")),
)

task_instance = sa.Table(
    "task_instance",
    metadata,
    *_ids("dag_id", "task_id", "run_id"),
    _map_index(),
    _id(),
    sa.Column("state", _text(), server_default="success"),
    *_dates("start_date", "end_date"),
    sa.Column("duration", sa.Float),
    _count("try_number", 1),
    _count("max_tries"),
    sa.Column("display_name", _text()),
    _filled("hostname", ""),
    _filled("unixname", "airflow"),
    _filled("pool", "default_pool"),
    _count("pool_slots", 1),
    _filled("queue", "default"),
    _count("priority_weight", 1),
    sa.Column("operator", _text()),
    sa.Column("operator_name", _text()),
    *_dates("queued_when", "scheduled_when", "updated_at"),
    sa.Column("pid", sa.Integer),
    sa.Column("executor", _text()),
    _filled("executor_config", "{}"),
    sa.Column("note", _text()),
    sa.Column("rendered_map_index", _text()),
    _filled("details", "{}"),
    sa.ForeignKeyConstraint(
        ["dag_id", "run_id"], ["dag_run.dag_id", "dag_run.run_id"], ondelete="CASCADE"
    ),
    # Each list is read from an index: of a run, of a DAG and of all, in the orders of v1 and v2.
    sa.Index("ix_task_instance_run", "dag_id", "run_id", "map_index", "id"),
    sa.Index("ix_task_instance_dag_id_id", "dag_id", "id"),
    sa.Index("ix_task_instance_dag_id_map_index_id", "dag_id", "map_index", "id"),
    sa.Index("ix_task_instance_id", "id"),
    sa.Index("ix_task_instance_map_index_id", "map_index", "id"),
)

# The log of each try, and the fields of the tries before the current one.
task_try = sa.Table(
    "task_try",
    metadata,
    *_ids("dag_id", "task_id", "run_id"),
    _map_index(),
    sa.Column("try_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("record", sa.Text),
    sa.Column("log", sa.Text),
    _of_task_instance(),
)

# The primary key has the order in which Airflow lists entries, so that a page is read from the
# index, and a count does not read values.
xcom = sa.Table(
    "xcom",
    metadata,
    *_ids("dag_id", "task_id", "run_id"),
    _map_index(),
    sa.Column("key", _name(MAX_KEY_LENGTH), primary_key=True),
    sa.Column("timestamp", UtcDateTime, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, key="etag", nullable=False, server_default="0"),
    _of_task_instance(),
    # For counts of all entries, or of those with one key in any DAG: it is small, because a key
    # that many entries share is stored once, and it contains no values.
    sa.Index("ix_xcom_key", "key"),
)

KEY_COLUMNS = ("dag_id", "run_id", "task_id", "map_index", "key")  # in the order of XComKey

# Joins an entry with its DAG run.
OF_ENTRY = (dag_run.c.dag_id == xcom.c.dag_id) & (dag_run.c.run_id == xcom.c.run_id)
# The columns of RunDates; `run_date` is the first that is not NULL.
RUN_DATES = tuple(dag_run.c[name] for name in RunDates._fields)


def column_of(field: str) -> sa.ColumnElement[Any]:
    """Return the column of a field of XComEntry or ListedEntry."""
    return (dag_run if field in RunDates._fields else xcom).c[field]
