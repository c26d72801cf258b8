"""The tables: DAG runs, their task instances, and the XCom entries those left."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from xcom_server.storage.models import MAX_ID_LENGTH, MAX_KEY_LENGTH


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with a time zone; databases without zones hold it in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, for the database."""
        return value and value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Return what turns a moment from the database into one in UTC, with its zone."""
        return _from_text if dialect.name == "sqlite" else _in_utc

    def column(self, dialect: Dialect, values: Sequence[Any]) -> list[datetime | None]:
        """Return a column of moments from the database, as `result_processor` does each of them.

        The entries of a page share their DAG runs: on SQLite each text is read once.
        """
        if dialect.name != "sqlite":
            return [*map(_in_utc, values)]
        known = {text: _from_text(text) for text in {*values}}
        return [known[text] for text in values]


_LENGTH = len("2024-01-01 00:00:00.000000")


def _from_text(text: str | None) -> datetime | None:
    if text is None:
        return None
    if len(text) == _LENGTH:  # as SQLAlchemy writes it
        return datetime.fromisoformat(text + "+00:00")
    moment = datetime.fromisoformat(text)  # as somebody else wrote it
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _name(length: int) -> String:
    """A name compared byte by byte, so that every database sorts the same way."""
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
    Column("version", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(
        ["dag_id", "task_id", "run_id", "map_index"],
        ["task_instance.dag_id", "task_instance.task_id", "task_instance.run_id",
         "task_instance.map_index"],
        ondelete="CASCADE"),
    # Small, for a name that many entries share is in it once: what counts all entries, or those of
    # one key in any DAG, reads it instead of the table with its values.
    Index("ix_xcom_key", "key"),
)
