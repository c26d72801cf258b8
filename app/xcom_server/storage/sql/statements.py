"""The statements for one entry; each takes one round trip and uses the primary key.

Each function builds a statement for a backend.  The parameters have the names of the key's
columns, and `new_<column>` for the columns to store.
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
"""The fields of XComEntry that are not part of the key, in their order."""

MAX_NAME_BYTES = 2600
"""The maximum size of an entry's ids and key together, in bytes of UTF-8.

PostgreSQL indexes at most 2,704 bytes per row.  Longer ids would not fit into gunicorn's request
line either once they are percent-encoded, so that the entry could be created but never read.
"""

_RUN_DATE = func.coalesce(*RUN_DATES) == bindparam("run_date", None, RUN_DATES[0].type)


def require_indexable(key: XComKey) -> None:
    """Raise NameTooLong for a key that is too long for an index or a URL."""
    size = sum(len(name.encode()) for name in (key.dag_id, key.run_id, key.task_id, key.key))
    if size > MAX_NAME_BYTES:
        raise NameTooLong(size, MAX_NAME_BYTES)


def new_etag() -> int:
    """Return a random ETag, so that an entry that is deleted and created again has another one."""
    return secrets.randbits(63)


def select_entry(backend: Backend) -> Statement:
    """Return the SELECT of an entry, with the columns STORED_FIELDS."""
    return (
        select(*map(column_of, STORED_FIELDS))
        .join(dag_run, OF_ENTRY)
        .where(*equal_to_parameters(KEY_COLUMNS))
    )


def insert_entry(backend: Backend, is_dated: bool) -> Statement:
    """Return the INSERT of an entry for a registered task instance; it returns the run's dates.

    It inserts and returns no row if the task instance is not registered, if the key exists, or, if
    `is_dated`, if `run_date` is not the run's.
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

    `conditions` may contain `timestamp` and `run_date`, which then must equal the stored ones.
    `etags` is the number of accepted ETags, None for any.
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
    """Return the DELETE of an entry; it returns one row if it deleted the entry.

    `etags` is the number of accepted ETags, None for any.
    """
    return (
        xcom.delete()
        .where(*equal_to_parameters(KEY_COLUMNS), *_has_etag(etags))
        .returning(literal(1))
    )


def equal_to_parameters(columns: Iterable[str]) -> list[ColumnElement[bool]]:
    """Return conditions that columns of an entry equal the parameters with their names."""
    return [xcom.c[name] == bindparam(name, None) for name in columns]


def etag_parameters(etags: Collection[int] | None) -> dict[str, int]:
    """Return the parameters for the accepted ETags of a statement."""
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
    # Compared with the parameters: in RETURNING, SQLAlchemy omits table names on SQLite, so that a
    # join with the entry's columns would match every run.
    return [
        select(column)
        .where(*(dag_run.c[name] == bindparam(name, None) for name in ("dag_id", "run_id")))
        .scalar_subquery()
        .label(column.name)
        for column in RUN_DATES
    ]
