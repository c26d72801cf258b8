"""The tables: DAG runs, their task instances and their XCom entries."""

from typing import Any

import sqlalchemy as sa

from xcom_server.storage.database.sqlalchemy_adapter import UtcDateTime
from xcom_server.storage.models import MAX_ID_LENGTH, MAX_KEY_LENGTH, Field, RunDates


def _name(length: int) -> sa.String:
    """Return the type of an id or key; it compares byte by byte, so that all databases agree."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _ids(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _name(MAX_ID_LENGTH), primary_key=True) for name in names]


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)

dag_run = sa.Table(
    "dag_run",
    metadata,
    *_ids("dag_id", "run_id"),
    sa.Column("logical_date", UtcDateTime),
    sa.Column("run_after", UtcDateTime, nullable=False),
)

task_instance = sa.Table(
    "task_instance",
    metadata,
    *_ids("dag_id", "task_id", "run_id"),
    sa.Column("map_index", sa.Integer, primary_key=True, autoincrement=False),
    sa.ForeignKeyConstraint(
        ["dag_id", "run_id"], ["dag_run.dag_id", "dag_run.run_id"], ondelete="CASCADE"
    ),
)

# The primary key has the order in which Airflow lists entries, so that a page is read from the
# index, and a count does not read values.
xcom = sa.Table(
    "xcom",
    metadata,
    *_ids("dag_id", "task_id", "run_id"),
    sa.Column("map_index", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", _name(MAX_KEY_LENGTH), primary_key=True),
    sa.Column("timestamp", UtcDateTime, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, key="etag", nullable=False, server_default="0"),
    sa.ForeignKeyConstraint(
        ["dag_id", "task_id", "run_id", "map_index"],
        [
            "task_instance.dag_id",
            "task_instance.task_id",
            "task_instance.run_id",
            "task_instance.map_index",
        ],
        ondelete="CASCADE",
    ),
    # For counts of all entries, or of those with one key in any DAG: it is small, because a key
    # that many entries share is stored once, and it contains no values.
    sa.Index("ix_xcom_key", "key"),
)

KEY_COLUMNS = ("dag_id", "run_id", "task_id", "map_index", "key")  # in the order of XComKey

# Joins an entry with its DAG run.
OF_ENTRY = (dag_run.c.dag_id == xcom.c.dag_id) & (dag_run.c.run_id == xcom.c.run_id)
# The columns of RunDates; `run_date` is the first that is not NULL.
RUN_DATES = tuple(dag_run.c[name] for name in RunDates._fields)


def column_of(field: "Field | str") -> sa.ColumnElement[Any]:
    """Return the column of a field of XComEntry or ListedEntry."""
    return (dag_run if field in RunDates._fields else xcom).c[field]
