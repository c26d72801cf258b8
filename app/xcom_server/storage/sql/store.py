"""The implementation of XComStore for SQL databases."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from xcom_server import clock, errors
from xcom_server.storage import models, queries
from xcom_server.storage.dags import SeedDag
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.faults import NO_TABLES
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.snapshots import SnapshotStore
from xcom_server.storage.sql import (
    bulk,
    exports,
    listing,
    pages,
    parents,
    resources,
    schema,
    statements,
)
from xcom_server.storage.sql.dags import SqlDagStore
from xcom_server.storage.sql.instances import SqlTaskInstanceStore
from xcom_server.storage.sql.runs import SqlRunStore
from xcom_server.storage.sql.tables import KEY_COLUMNS, xcom
from xcom_server.storage.store import Observer, SeedRow, XComStore
from xcom_server.values.reserved import refuse_reserved

_Exported = TypeVar("_Exported")


class SqlXComStore(XComStore):
    """An XComStore in the database of a backend; XComStore documents the methods."""

    schema_version = schema.HEAD

    def __init__(
        self, backend: Backend, *, require_parents: bool = False, observer: Observer | None = None
    ) -> None:
        self._backend = backend
        self._executor = Executor(backend, observer or Observer())
        self._require_parents = require_parents
        self.dags = SqlDagStore(self._executor)
        self.runs = SqlRunStore(self._executor, require_parents=require_parents)
        self.task_instances = SqlTaskInstanceStore(self._executor)

    @property
    def snapshots(self) -> SnapshotStore:
        """Return the snapshots; a server without a control plane does not import their code."""
        from xcom_server.storage.sql.snapshots import SqlSnapshotStore

        return SqlSnapshotStore(self._executor)

    def create(
        self,
        key: models.XComKey,
        value: str,
        *,
        timestamp: datetime | None = None,
        run_date: datetime | None = None,
    ) -> models.XComEntry:
        """Store a new entry, in one statement if its task instance is registered."""
        refuse_reserved(value)
        statements.require_indexable(key)
        now, since = clock.now(), time.monotonic()
        timestamp = timestamp or now
        etag = statements.new_etag()
        stored = {"timestamp": timestamp, "value": value, "etag": etag}
        rows = self._executor.execute(
            statements.insert_entry,
            {**_parameters(key), "run_date": run_date, **_new(stored)},
            run_date is not None,
        )
        dates = (
            models.RunDates(*rows[0])
            if rows
            else self._executor.transaction(
                lambda connection: self._register(connection, key, stored, run_date, now),
                since=since,
            )
        )
        return models.XComEntry(*_names(key), timestamp, *dates, value, etag)

    def _register(
        self,
        connection: Connection,
        key: models.XComKey,
        stored: dict[str, Any],
        run_date: datetime | None,
        now: datetime,
    ) -> models.RunDates:
        """Register the DAG run and task instance, store a new entry, and return the run's dates.

        Raises the errors of `create`.
        """
        dates = (
            parents.get_or_raise(connection, key)
            if self._require_parents
            else parents.get_or_create(self._backend, connection, key, run_date or now)
        )
        if run_date is not None and run_date != dates.run_date:
            raise errors.DateMismatch("run_date", dates.run_date)
        if not self._backend.insert_or_ignore(connection, xcom, {**asdict(key), **stored}):
            raise errors.AlreadyExists(key.key)
        return dates

    def get(self, key: models.XComKey) -> models.XComEntry:
        """Return one entry."""
        rows = self._executor.read(statements.select_entry, _parameters(key))
        if not rows:
            raise errors.EntryNotFound(*_names(key))
        return models.XComEntry(*_names(key), *rows[0])

    def list(
        self,
        filter_: queries.Filter,
        *,
        limit: int,
        offset: int = 0,
        order: Sequence[queries.Order] = (),
    ) -> queries.Page[models.ListedEntry]:
        """Return a page of the entries that match, and the number of all of them."""
        rows, total = pages.read(
            self._executor, resources.ENTRIES, filter_, limit=limit, offset=offset, order=order
        )
        return queries.Page([models.ListedEntry._make(row) for row in rows], total)

    def replace_value(
        self,
        key: models.XComKey,
        value: str,
        *,
        timestamp: datetime | None = None,
        run_date: datetime | None = None,
        new_timestamp: datetime | None = None,
        if_match: Collection[int] | None = None,
    ) -> models.XComEntry:
        """Replace the value of an entry, in one statement.

        If it changes no row, a second statement reads the entry to find out why.
        """
        refuse_reserved(value)
        dates = {"timestamp": timestamp, "run_date": run_date}
        etag = statements.new_etag()
        stored = {"value": value, "etag": etag, "timestamp": new_timestamp}
        rows = self._executor.execute(
            statements.update_entry,
            {**_parameters(key), **dates, **_new(stored), **statements.etag_parameters(if_match)},
            new_timestamp is not None,
            None if if_match is None else len(if_match),
            tuple(name for name, date in dates.items() if date is not None),
        )
        if not rows:
            raise _mismatch(self.get(key), timestamp, run_date, if_match)
        stored_timestamp, logical_date, run_after = rows[0]
        return models.XComEntry(
            *_names(key), stored_timestamp, logical_date, run_after, value, etag
        )

    def delete(self, key: models.XComKey, *, if_match: Collection[int] | None = None) -> None:
        """Delete an entry, in one statement."""
        rows = self._executor.execute(
            statements.delete_entry,
            {**_parameters(key), **statements.etag_parameters(if_match)},
            None if if_match is None else len(if_match),
        )
        if not rows:
            raise (
                errors.EntryNotFound(*_names(key))
                if if_match is None
                else _mismatch(self.get(key), None, None, if_match)
            )

    def load(
        self, rows: Sequence[SeedRow], advance: Callable[[int], None] = lambda count: None
    ) -> None:
        """Store all rows in one transaction."""
        self._executor.transaction(
            lambda connection: bulk.load(self._backend, connection, rows, advance)
        )

    def export_entries(self) -> Iterator[models.XComEntry]:
        """Yield every entry, ordered like a list."""
        return self._export(exports.entries)

    def export_dags(self) -> Iterator[SeedDag]:
        """Yield every DAG, ordered by id."""
        return self._export(exports.dags)

    def export_runs(self) -> Iterator[SeedRun]:
        """Yield every DAG run with its task instances, in the order of insertion."""
        return self._export(exports.runs)

    def _export(self, rows: Callable[[Connection], Iterator[_Exported]]) -> Iterator[_Exported]:
        with self._executor.unavailable_on_fault(), self._backend.engine.connect() as connection:
            yield from rows(connection)

    def clear(self) -> None:
        """Remove everything, in one transaction."""
        self._executor.transaction(lambda connection: bulk.clear(self._backend, connection))

    def check(self) -> None:
        """Read the tables."""
        self._executor.read(
            statements.select_entry, _parameters(models.XComKey("", "", "", models.UNMAPPED, ""))
        )

    def prepare(self, *, create: bool = True) -> None:
        """Make sure that the schema is current, and close all connections.

        gunicorn may fork afterwards, and two processes must not share a connection.
        """
        try:
            with self._executor.unavailable_on_fault():
                if create:
                    self._backend.create_missing()
                elif self._backend.upgrades_itself and schema.current(self._backend) is None:
                    raise errors.Unavailable(NO_TABLES.reason)
                schema.ensure_current(self._backend, create=create)
        finally:
            self._backend.required_revision = schema.HEAD
            if not self._backend.is_in_memory:
                self._backend.close()

    def close(self) -> None:
        """Close all connections."""
        self._backend.close()


def _names(key: models.XComKey) -> tuple[str, str, str, int, str]:
    return key.dag_id, key.run_id, key.task_id, key.map_index, key.key


def _parameters(key: models.XComKey) -> dict[str, Any]:
    return listing.with_storable_map_index(dict(zip(KEY_COLUMNS, _names(key), strict=True)))


def _new(stored: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in stored.items()}


def _mismatch(
    stored: models.XComEntry,
    timestamp: datetime | None,
    run_date: datetime | None,
    if_match: Collection[int] | None,
) -> errors.XComError:
    """Return the reason why a statement changed no row, although the entry is stored now."""
    if if_match is not None and stored.etag not in if_match:
        return errors.PreconditionFailed(stored.etag)
    if timestamp not in (None, stored.timestamp):
        return errors.DateMismatch("timestamp", stored.timestamp)
    if run_date not in (None, stored.run_date):
        return errors.DateMismatch("run_date", stored.run_date)
    return errors.EntryNotFound(*_names(stored))  # another client has created the entry since
