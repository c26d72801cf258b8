"""The tables: DAG runs, their task instances and their XCom entries."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from xcom_server.storage.database.sqlalchemy_adapter import UtcDateTime
from xcom_server.storage.models import MAX_ID_LENGTH, MAX_KEY_LENGTH, Field, RunDates


def _name(length: int) -> String:
    """Return the type of a name, compared byte by byte so that every database sorts alike."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


metadata = MetaData(naming_convention={
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
})

dag_run = Table(
    "dag_run", metadata,
    Column("dag_id", _name(MAX_ID_LENGTH), primary_key=True),
    Column("run_id", _name(MAX_ID_LENGTH), primary_key=True),
    Column("logical_date", UtcDateTime),
    Column("run_after", UtcDateTime, nullable=False),
)

task_instance = Table(
    "task_instance", metadata,
    Column("dag_id", _name(MAX_ID_LENGTH), primary_key=True),
    Column("task_id", _name(MAX_ID_LENGTH), primary_key=True),
    Column("run_id", _name(MAX_ID_LENGTH), primary_key=True),
    Column("map_index", Integer, primary_key=True, autoincrement=False),
    ForeignKeyConstraint(["dag_id", "run_id"], ["dag_run.dag_id", "dag_run.run_id"],
                         ondelete="CASCADE"),
)

# The primary key is in the order in which Airflow lists entries, so that a page is read off the
# index and a count never touches a value.
xcom = Table(
    "xcom", metadata,
    Column("dag_id", _name(MAX_ID_LENGTH), primary_key=True),
    Column("task_id", _name(MAX_ID_LENGTH), primary_key=True),
    Column("run_id", _name(MAX_ID_LENGTH), primary_key=True),
    Column("map_index", Integer, primary_key=True, autoincrement=False),
    Column("key", _name(MAX_KEY_LENGTH), primary_key=True),
    Column("timestamp", UtcDateTime, nullable=False),
    Column("value", Text, nullable=False),
    Column("version", BigInteger, key="etag", nullable=False, server_default="0"),
    ForeignKeyConstraint(
        ["dag_id", "task_id", "run_id", "map_index"],
        ["task_instance.dag_id", "task_instance.task_id", "task_instance.run_id",
         "task_instance.map_index"],
        ondelete="CASCADE"),
    # Small, because a key that many entries share is in it once: a count of all entries, or of
    # those of one key in any DAG, reads it instead of the table with its values.
    Index("ix_xcom_key", "key"),
)

KEY_COLUMNS = ("dag_id", "run_id", "task_id", "map_index", "key")
"""The columns that identify an entry, in the order of XComKey."""

OF_ENTRY = (dag_run.c.dag_id == xcom.c.dag_id) & (dag_run.c.run_id == xcom.c.run_id)
"""Joins an entry with its DAG run."""

RUN_DATES = tuple(dag_run.c[name] for name in RunDates._fields)
"""The columns of RunDates; the first that is not NULL is the `run_date`."""


def column_of(field: "Field | str") -> ColumnElement[Any]:
    """Return the column that holds a field of XComEntry or ListedEntry."""
    return (dag_run if field in RunDates._fields else xcom).c[field]
