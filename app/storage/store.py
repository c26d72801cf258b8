"""The store of XCom entries.  Each method is one transaction; errors come from app.errors."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Update, exists, func, select

from app.errors import (
    AlreadyExists,
    DateMismatch,
    EntryNotFound,
    NameTooLong,
    Unavailable,
    VersionMismatch,
    XComError,
)
from app.storage import listing, runs
from app.storage.database import Database
from app.storage.entry import Order, Page, RunDates, XComEntry, XComFilter, XComKey
from app.storage.inserts import insert_once
from app.storage.reserved import refuse_reserved
from app.storage.tables import dag_run, xcom

MAX_NAME_BYTES = 2600
"""How long the names of an entry may be together, in UTF-8.

PostgreSQL indexes no more than 2,704 bytes a row, and percent-encoded a longer name would not fit
gunicorn's request line, so that what POST stored no GET could reach.
"""


def refuse_long_name(name: XComKey) -> None:
    """Raise NameTooLong for names that no database and no URL could hold."""
    size = sum(len(each.encode()) for each in (name.dag_id, name.run_id, name.task_id, name.key))
    if size > MAX_NAME_BYTES:
        raise NameTooLong(size, MAX_NAME_BYTES)


def new_version() -> int:
    """Return a version that no entry had before: a random one, so that a new entry differs too."""
    return secrets.randbits(63)


class XComStore:
    """What entries exist, in a database that several processes may share.

    Each method but `is_healthy` raises Unavailable where the database cannot do it now.
    """

    def __init__(self, database: Database, *, require_parents: bool = False) -> None:
        self._database = database
        self._require_parents = require_parents

    def create(self, name: XComKey, value: str, *, timestamp: datetime | None = None,
               run_date: datetime | None = None) -> XComEntry:
        """Store a new entry whose value is the JSON text `value`.

        Registers an unknown DAG run or task instance, or raises NotFound for it where parents are
        required. Raises DateMismatch where `run_date` is not the run's, AlreadyExists, keeping
        the old value, where the name is taken, NameTooLong and ReservedKeys.
        """
        refuse_reserved(value)
        refuse_long_name(name)
        now = datetime.now(UTC)
        given = {"value": value, "timestamp": timestamp or now, "version": new_version()}

        def create(connection: Connection) -> RunDates:
            dates = (runs.require(connection, name) if self._require_parents
                     else runs.ensure(connection, name, run_date or now))
            if run_date is not None and run_date != dates.run_date:
                raise DateMismatch("run_date", dates.run_date)
            if not insert_once(connection, xcom, {**asdict(name), **given}):
                raise AlreadyExists(name.key)
            return dates

        return _entry(name, **self._database.write(create)._asdict(), **given)

    def get(self, name: XComKey) -> XComEntry:
        """Return one entry; raises EntryNotFound."""
        return self._database.read(lambda connection: _found(connection, name))

    def list(self, wanted: XComFilter, *, limit: int, offset: int = 0,
             order: Sequence[Order] = ()) -> Page:
        """Return a page of the entries that match, without values, and how many match in all.

        The order is by DAG, task, run, map index and key, each byte by byte, after the fields
        that `order` names.
        """
        def read(connection: Connection) -> Page:
            total = connection.execute(listing.count(wanted)).scalar_one()
            rows = connection.execute(listing.page(wanted, order, limit, offset)).all()
            return Page([XComEntry(**row._mapping) for row in rows], total)

        return self._database.read(read)

    def replace_value(self, name: XComKey, value: str, *, timestamp: datetime | None = None,
                      run_date: datetime | None = None, new_timestamp: datetime | None = None,
                      versions: Collection[int] | None = None) -> XComEntry:
        """Give an entry a new value, the JSON text `value`, and perhaps a new timestamp.

        A `timestamp` or `run_date` that is given must be the one stored: DateMismatch otherwise;
        and the version one of `versions`: VersionMismatch. Raises EntryNotFound and ReservedKeys.
        """
        refuse_reserved(value)
        changed = {"value": value, "version": new_version()} | (
            {"timestamp": new_timestamp} if new_timestamp else {})
        update = _update(name, timestamp, run_date, versions).values(**changed)

        def replace(connection: Connection) -> Any:
            row = connection.execute(update).one_or_none()
            if row is None:
                raise _mismatch(_found(connection, name), timestamp, run_date, versions)
            return row

        return _entry(name, **changed | self._database.write(replace)._asdict())

    def delete(self, name: XComKey, *, versions: Collection[int] | None = None) -> None:
        """Remove an entry; its DAG run and task instance stay.

        Raises EntryNotFound, and VersionMismatch where its version is none of `versions`.
        """
        delete = xcom.delete().where(*listing.named(name), *_of_version(versions))

        def remove(connection: Connection) -> None:
            if connection.execute(delete).rowcount == 0:
                raise (_not_found(name) if versions is None
                       else _mismatch(_found(connection, name), None, None, versions))

        self._database.write(remove)

    def check(self) -> None:
        """Raise Unavailable unless the database answers and can read its tables."""
        nothing = _entry_of(XComKey("", "", "", 0, ""))
        self._database.read(lambda connection: connection.execute(nothing).all())

    def is_healthy(self) -> bool:
        """Say whether the database answers, and can read its tables."""
        try:
            self.check()
        except Unavailable:
            return False
        return True


def _update(name: XComKey, timestamp: datetime | None, run_date: datetime | None,
            versions: Collection[int] | None) -> Update:
    """Return the UPDATE of an entry that has these dates and one of these versions."""
    # By the given names: in RETURNING, SQLAlchemy leaves the tables' names out on SQLite, and a
    # run that is told by its entry's columns would be any run.
    logical_date, run_after = (
        select(column).where(dag_run.c.dag_id == name.dag_id, dag_run.c.run_id == name.run_id)
        .scalar_subquery().label(column.name) for column in runs.DATES)
    update = (xcom.update().where(*listing.named(name), *_of_version(versions))
              .returning(xcom.c.timestamp, logical_date, run_after))
    if timestamp is not None:
        update = update.where(xcom.c.timestamp == timestamp)
    if run_date is not None:
        update = update.where(exists().where(
            runs.OF_ENTRY, func.coalesce(*runs.DATES) == run_date))
    return update


def _of_version(versions: Collection[int] | None) -> list[ColumnElement[bool]]:
    return [] if versions is None else [xcom.c.version.in_(sorted(versions))]


def _not_found(name: XComKey) -> EntryNotFound:
    return EntryNotFound(name.dag_id, name.run_id, name.task_id, name.map_index, name.key)


def _entry_of(name: XComKey) -> Select[Any]:
    return (select(xcom.c.timestamp, *runs.DATES, xcom.c.value, xcom.c.version)
            .join(dag_run, runs.OF_ENTRY).where(*listing.named(name)))


def _found(connection: Connection, name: XComKey) -> XComEntry:
    row = connection.execute(_entry_of(name)).one_or_none()
    if row is None:
        raise _not_found(name)
    return _entry(name, **row._mapping)


def _mismatch(stored: XComEntry, timestamp: datetime | None, run_date: datetime | None,
              versions: Collection[int] | None) -> XComError:
    """Return why a change met nothing, though the entry is there now."""
    if versions is not None and stored.version not in versions:
        return VersionMismatch(stored.version)
    if timestamp not in (None, stored.timestamp):
        return DateMismatch("timestamp", stored.timestamp)
    if run_date not in (None, stored.run_date):
        return DateMismatch("run_date", stored.run_date)
    return _not_found(stored)  # it was not there yet: another client created it since


def _entry(name: XComKey, **stored: Any) -> XComEntry:
    return XComEntry(**asdict(name), **stored)
