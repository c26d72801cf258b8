"""The statements about one entry: each is one round trip, by the primary key.

Each function builds a statement for a backend.  Its parameters are named like the columns of the
key, and `new_…` for what is stored.
"""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Label, bindparam, exists, func, literal, select

from xcom_server.errors import NameTooLong
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.sqlalchemy_adapter import Statement
from xcom_server.storage.models import XComEntry, XComKey
from xcom_server.storage.sql.tables import (
    KEY_COLUMNS,
    OF_ENTRY,
    RUN_DATES,
    column_of,
    dag_run,
    task_instance,
    xcom,
)

STORED_FIELDS = tuple(field.name for field in fields(XComEntry) if field.name not in KEY_COLUMNS)
"""The fields of XComEntry after those of its key, in their order."""

MAX_NAME_BYTES = 2600
"""How long the names of an entry may be together, in bytes of UTF-8.

PostgreSQL indexes at most 2,704 bytes a row, and percent-encoded a longer name would not fit
gunicorn's request line, so that an entry could be created and never read.
"""

_RUN_DATE = func.coalesce(*RUN_DATES) == bindparam("run_date", None, RUN_DATES[0].type)


def require_indexable(key: XComKey) -> None:
    """Raise NameTooLong for a key that does not fit an index or a URL."""
    size = sum(len(name.encode()) for name in (key.dag_id, key.run_id, key.task_id, key.key))
    if size > MAX_NAME_BYTES:
        raise NameTooLong(size, MAX_NAME_BYTES)


def new_etag() -> int:
    """Return an ETag that no entry had before: a random one, so that a new entry differs too."""
    return secrets.randbits(63)


def select_entry(backend: Backend) -> Statement:
    """Return the SELECT of STORED_FIELDS of an entry."""
    return (
        select(*map(column_of, STORED_FIELDS))
        .join(dag_run, OF_ENTRY)
        .where(*equal_to_parameters(KEY_COLUMNS))
    )


def insert_entry(backend: Backend, is_dated: bool) -> Statement:
    """Return the INSERT of an entry into a known task instance; it returns the run's dates.

    It returns no row if the task instance is unknown, if the key is taken, or, if `is_dated`,
    unless `run_date` is the run's.
    """
    instance = [task_instance.c[name] for name in KEY_COLUMNS[:-1]]
    stored = [xcom.c.timestamp, xcom.c.value, xcom.c.etag]
    values = select(
        *instance,
        bindparam("key", None, xcom.c.key.type),
        *(bindparam(f"new_{column.key}", None, column.type) for column in stored),
    )
    values = values.where(*(column == bindparam(column.name, None) for column in instance))
    if is_dated:
        values = values.join(
            dag_run,
            (dag_run.c.dag_id == task_instance.c.dag_id)
            & (dag_run.c.run_id == task_instance.c.run_id),
        ).where(_RUN_DATE)
    return (
        backend.insert(xcom)
        .from_select([*KEY_COLUMNS, *(column.key for column in stored)], values)
        .on_conflict_do_nothing()
        .returning(*_run_dates())
    )


def update_entry(
    backend: Backend, sets_timestamp: bool, etags: int | None, conditions: Collection[str]
) -> Statement:
    """Return the UPDATE of an entry; it returns the timestamp and the run's dates.

    `conditions` names the dates, of `timestamp` and `run_date`, that must be the stored ones.
    `etags` is how many ETags are accepted, None for any.
    """
    update = xcom.update().where(*equal_to_parameters(KEY_COLUMNS), *_has_etag(etags))
    if "timestamp" in conditions:
        update = update.where(xcom.c.timestamp == bindparam("timestamp", None))
    if "run_date" in conditions:
        update = update.where(exists().where(OF_ENTRY, _RUN_DATE))
    names = ("value", "etag", "timestamp") if sets_timestamp else ("value", "etag")
    return update.values({name: bindparam(f"new_{name}", None) for name in names}).returning(
        xcom.c.timestamp, *_run_dates()
    )


def delete_entry(backend: Backend, etags: int | None) -> Statement:
    """Return the DELETE of an entry that has one of so many ETags; it returns a row."""
    return (
        xcom.delete()
        .where(*equal_to_parameters(KEY_COLUMNS), *_has_etag(etags))
        .returning(literal(1))
    )


def equal_to_parameters(columns: Iterable[str]) -> list[ColumnElement[bool]]:
    """Return the conditions that columns of an entry equal the parameters of their names."""
    return [xcom.c[name] == bindparam(name, None) for name in columns]


def etag_parameters(etags: Collection[int] | None) -> dict[str, int]:
    """Return the parameters for the ETags that a statement accepts."""
    return {f"etag_{number}": etag for number, etag in enumerate(etags or ())}


def _has_etag(count: int | None) -> list[ColumnElement[bool]]:
    if count is None:
        return []
    return [
        xcom.c.etag.in_(
            [bindparam(f"etag_{number}", None, xcom.c.etag.type) for number in range(count)]
        )
    ]


def _run_dates() -> list[Label[Any]]:
    # By the parameters: in RETURNING, SQLAlchemy leaves out table names on SQLite, so that a run
    # joined by the entry's columns would be any run.
    return [
        select(column)
        .where(*(dag_run.c[name] == bindparam(name, None) for name in ("dag_id", "run_id")))
        .scalar_subquery()
        .label(column.name)
        for column in RUN_DATES
    ]
