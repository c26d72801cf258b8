"""The store of XCom entries.  Each change is whole or not at all; errors come from xcom_server.errors."""

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from xcom_server.errors import (
    AlreadyExists,
    DateMismatch,
    EntryNotFound,
    NameTooLong,
    Unavailable,
    VersionMismatch,
    XComError,
)
from xcom_server.storage.database.executor import Database
from xcom_server.storage.models import (
    UNMAPPED,
    ListedEntry,
    Order,
    Page,
    RunDates,
    XComEntry,
    XComFilter,
    XComKey,
)
from xcom_server.storage.sql import listing, parents, statements
from xcom_server.storage.sql.tables import xcom
from xcom_server.storage.sql.upsert import insert_or_ignore
from xcom_server.values.reserved import refuse_reserved

MAX_NAME_BYTES = 2600
"""How long the names of an entry may be together, in UTF-8.

PostgreSQL indexes no more than 2,704 bytes a row, and percent-encoded a longer name would not fit
gunicorn's request line, so that what POST stored no GET could reach.
"""


def require_indexable(name: XComKey) -> None:
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
        self._dialect = database.dialect
        self._require_parents = require_parents

    def create(self, name: XComKey, value: str, *, timestamp: datetime | None = None,
               run_date: datetime | None = None) -> XComEntry:
        """Store a new entry whose value is the JSON text `value`.

        Registers an unknown DAG run or task instance, or raises NotFound for it where parents are
        required. Raises DateMismatch where `run_date` is not the run's, AlreadyExists, keeping
        the old value, where the name is taken, NameTooLong and ReservedKeys.
        """
        refuse_reserved(value)
        require_indexable(name)
        now, since = datetime.now(UTC), time.monotonic()
        new: dict[str, Any] = {"timestamp": timestamp or now, "value": value,
                               "version": new_version()}
        created = self._database.changed(
            statements.creating(self._dialect, dated=run_date is not None),
            {**_parameters(name), "run_date": run_date, **_new(new)})
        dates = RunDates(*created[0]) if created else self._database.write(
            lambda connection: self._register(connection, name, new, run_date, now), since=since)
        return XComEntry(*_names(name), new["timestamp"], *dates, value, new["version"])

    def _register(self, connection: Connection, name: XComKey, new: dict[str, Any],
                  run_date: datetime | None, now: datetime) -> RunDates:
        """Store a new entry after its DAG run and task instance, or raise why that cannot be."""
        dates = (parents.require(connection, name) if self._require_parents
                 else parents.ensure(connection, name, run_date or now))
        if run_date is not None and run_date != dates.run_date:
            raise DateMismatch("run_date", dates.run_date)
        if not insert_or_ignore(connection, xcom, {**asdict(name), **new}):
            raise AlreadyExists(name.key)
        return dates

    def get(self, name: XComKey) -> XComEntry:
        """Return one entry; raises EntryNotFound."""
        found = self._database.rows(statements.finding(self._dialect), _parameters(name))
        if not found:
            raise _not_found(name)
        return XComEntry(*_names(name), *found[0])

    def list(self, wanted: XComFilter, *, limit: int, offset: int = 0,
             order: Sequence[Order] = ()) -> Page:
        """Return a page of the entries that match, without values, and how many match in all.

        The order is by DAG, task, run, map index and key, each byte by byte, after the fields
        that `order` names.
        """
        form = listing.form(wanted, order, later=offset > 0 or limit == 0)
        rows = self._database.rows(
            listing.prepared(self._dialect, form),
            listing.parameters(wanted) | {"limit": limit, "offset": offset})
        total = rows[0][-1] if rows else 0
        is_empty = not rows or rows[0][0] is None
        return Page([] if is_empty else [ListedEntry._make(row[:-1]) for row in rows], total)

    def replace_value(self, name: XComKey, value: str, *, timestamp: datetime | None = None,
                      run_date: datetime | None = None, new_timestamp: datetime | None = None,
                      versions: Collection[int] | None = None) -> XComEntry:
        """Give an entry a new value, the JSON text `value`, and perhaps a new timestamp.

        A `timestamp` or `run_date` that is given must be the one stored: DateMismatch otherwise;
        and the version one of `versions`: VersionMismatch. Raises EntryNotFound and ReservedKeys.
        Why nothing met the conditions is read after it: another client may have changed it since.
        """
        refuse_reserved(value)
        given = {"timestamp": timestamp, "run_date": run_date}
        version = new_version()
        new = {"value": value, "version": version, "timestamp": new_timestamp}
        replaced = self._database.changed(
            statements.replacing(
                self._dialect, timestamp=new_timestamp is not None, versions=_size(versions),
                given=tuple(field for field, date in given.items() if date is not None)),
            {**_parameters(name), **given, **_new(new), **statements.numbered(versions)})
        if not replaced:
            raise _mismatch(self.get(name), timestamp, run_date, versions)
        stored, logical_date, run_after = replaced[0]
        return XComEntry(*_names(name), stored, logical_date, run_after, value, version)

    def delete(self, name: XComKey, *, versions: Collection[int] | None = None) -> None:
        """Remove an entry; its DAG run and task instance stay.

        Raises EntryNotFound, and VersionMismatch where its version is none of `versions`.
        """
        removed = self._database.changed(
            statements.deleting(self._dialect, versions=_size(versions)),
            {**_parameters(name), **statements.numbered(versions)})
        if not removed:
            raise (_not_found(name) if versions is None
                   else _mismatch(self.get(name), None, None, versions))

    def check(self) -> None:
        """Raise Unavailable unless the database answers and can read its tables."""
        self._database.rows(statements.finding(self._dialect),
                            _parameters(XComKey("", "", "", UNMAPPED, "")))

    def is_healthy(self) -> bool:
        """Say whether the database answers, and can read its tables."""
        try:
            self.check()
        except Unavailable:
            return False
        return True


def _names(name: XComKey) -> tuple[str, str, str, int, str]:
    return name.dag_id, name.run_id, name.task_id, name.map_index, name.key


def _parameters(name: XComKey) -> dict[str, Any]:
    return listing.storable(dict(zip(statements.NAMES, _names(name), strict=True)))


def _new(stored: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{field}": each for field, each in stored.items()}


def _size(versions: Collection[int] | None) -> int | None:
    return None if versions is None else len(versions)


def _not_found(name: XComKey) -> EntryNotFound:
    return EntryNotFound(*_names(name))


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
