"""The implementation of EmulatorState for SQL databases."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from xcom_server.errors import Unavailable
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.faults import LOCKED
from xcom_server.storage.database.sqlalchemy_adapter import Row
from xcom_server.storage.emulator import MAX_REQUESTS, Control, EmulatorState, StoredFault
from xcom_server.storage.store import Observer

_TRIM_EVERY = 64  # how many requests are recorded before the oldest are removed
_Result = TypeVar("_Result")

metadata = sa.MetaData()
_control = sa.Table(
    "emulator_control",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("clock", sa.Text, nullable=False),
)
_fault = sa.Table(
    "emulator_fault",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("times", sa.Integer),
    sa.Column("applied", sa.Integer, nullable=False),
    sa.Column("matched", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)
_request = sa.Table(
    "emulator_request",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
# Writes to an unlogged table are not flushed at the commit. A crash empties it.
sa.event.listen(
    _request,
    "after_create",
    sa.DDL("ALTER TABLE emulator_request SET UNLOGGED").execute_if(  # type: ignore[no-untyped-call]
        dialect="postgresql"
    ),
)


class SqlEmulatorState(EmulatorState):
    """An EmulatorState in the database of a backend; EmulatorState documents the methods."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._executor = Executor(backend, Observer())
        self._cached = Control(-1, {}, ())
        if backend.dialect.name == "sqlite":
            sa.event.listen(backend.engine, "connect", _do_not_sync)

    def prepare(self) -> None:
        """Create the tables; several processes may do so at the same time.

        gunicorn may fork afterwards, and two processes must not share a connection.
        """

        def work(connection: Connection) -> None:
            self._backend.transaction_lock(connection, "xcom-server emulator")
            metadata.create_all(connection)
            first = {"id": 1, "version": 0, "clock": "{}"}
            self._backend.insert_or_ignore(connection, _control, first)

        try:
            self._backend.create_missing()
            self._executor.transaction(work)
        finally:
            if not self._backend.is_in_memory:
                self._backend.close()

    def control(self) -> Control:
        """Return the clock and the faults."""
        ((version, clock),) = self._executor.read(_select_control, {})
        found = self._cached  # another thread may replace it meanwhile
        if version != found.version:
            # Faults that were added since belong to a later version, and are read again then.
            rows = self._executor.read(_select_faults, {})
            faults = tuple(StoredFault(row[0], json.loads(row[1]), row[2]) for row in rows)
            self._cached = found = Control(version, json.loads(clock), faults)
        return found

    def change_clock(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        """Replace the definition of the clock, in a transaction."""

        def work(connection: Connection) -> dict[str, Any]:
            definition = change(
                json.loads(connection.execute(select(_control.c.clock)).scalar_one())
            )
            _set_clock(connection, definition)
            return definition

        return self._change(work)

    def add_fault(self, definition: dict[str, Any], times: int | None = None) -> StoredFault:
        """Add a fault."""

        def work(connection: Connection) -> int:
            row = {"definition": json.dumps(definition), "times": times}
            row |= {"applied": 0, "matched": 0}
            number = connection.execute(insert(_fault).returning(_fault.c.id), row).scalar_one()
            return int(number)

        return StoredFault(self._change(work), definition, 0)

    def remove_fault(self, number: int) -> bool:
        """Remove a fault."""
        statement = delete(_fault).where(_fault.c.id == number)
        return self._change(lambda connection: connection.execute(statement).rowcount == 1)

    def remove_faults(self) -> None:
        """Remove all faults."""
        self._change(lambda connection: connection.execute(delete(_fault)))

    def apply_fault(self, number: int) -> bool:
        """Count that a fault is applied, in one statement.

        After the last time, the version changes, so that no worker tries it again.
        """
        rows = self._executor.execute(_apply_fault, {"number": number})
        if rows and rows[0][0] == rows[0][1]:
            self._change(lambda connection: None)
        return bool(rows)

    def release_fault(self, number: int) -> None:
        """Take back one call of `apply_fault`; a fault that was spent can be applied again."""
        statement = (
            update(_fault)
            .where(_fault.c.id == number, _fault.c.applied > 0)
            .values(applied=_fault.c.applied - 1)
        )
        self._change(lambda connection: connection.execute(statement))

    def match_fault(self, number: int) -> int:
        """Count a request that matches a fault, and return how many there were before it."""
        rows = self._executor.execute(_match_fault, {"number": number})
        return rows[0][0] - 1 if rows else 0

    def applied_faults(self) -> dict[int, int]:
        """Return how often each fault was applied, by number."""
        return {row[0]: row[2] for row in self._executor.read(_select_faults, {})}

    def record(self, request: dict[str, Any]) -> None:
        """Add a request to the journal."""
        text = json.dumps(request, separators=(",", ":"))
        ((number,),) = self._append({"record": text})
        if number % _TRIM_EVERY == 0:
            statement = delete(_request).where(_request.c.id <= number - MAX_REQUESTS)
            self._executor.transaction(lambda connection: connection.execute(statement))

    def _append(self, parameters: dict[str, Any]) -> Sequence[Row]:
        try:
            return self._executor.append(_insert_request, parameters)
        except Unavailable as error:
            if error.reason != LOCKED.reason:
                raise
            return self._executor.execute(_insert_request, parameters)  # waits fairly, and longer

    def requests(self, *, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        """Return the newest requests, oldest first."""
        rows = self._executor.read(_select_requests, {"after": after})
        return [(row[0], json.loads(row[1])) for row in reversed(rows)]

    def clear_requests(self) -> None:
        """Empty the journal."""
        self._executor.transaction(lambda connection: connection.execute(delete(_request)))

    def reset(self) -> None:
        """Remove the faults, empty the journal, and use the time of the machine again."""

        def work(connection: Connection) -> None:
            connection.execute(delete(_fault))
            connection.execute(delete(_request))
            _set_clock(connection, {})

        self._change(work)

    def close(self) -> None:
        """Close all connections."""
        self._backend.close()

    def _change(self, work: Callable[[Connection], _Result]) -> _Result:
        """Change what every worker obeys, in a transaction."""

        def changed(connection: Connection) -> _Result:
            connection.execute(update(_control).values(version=_control.c.version + 1))
            return work(connection)

        return self._executor.transaction(changed)


def _do_not_sync(connection: Any, record: Any) -> None:
    """Let the operating system write the file when it wants; a power failure may damage it."""
    connection.execute("PRAGMA synchronous = OFF")


def _set_clock(connection: Connection, definition: dict[str, Any]) -> None:
    connection.execute(update(_control).values(clock=json.dumps(definition)))


def _select_control(backend: Backend) -> Select[Any]:
    return select(_control.c.version, _control.c.clock)


def _select_faults(backend: Backend) -> Select[Any]:
    return select(_fault.c.id, _fault.c.definition, _fault.c.applied).order_by(_fault.c.id)


def _apply_fault(backend: Backend) -> ReturningUpdate[Any]:
    return (
        update(_fault)
        .where(
            _fault.c.id == bindparam("number"),
            _fault.c.times.is_(None) | (_fault.c.applied < _fault.c.times),
        )
        .values(applied=_fault.c.applied + 1)
        .returning(_fault.c.applied, _fault.c.times)
    )


def _match_fault(backend: Backend) -> ReturningUpdate[Any]:
    return (
        update(_fault)
        .where(_fault.c.id == bindparam("number"))
        .values(matched=_fault.c.matched + 1)
        .returning(_fault.c.matched)
    )


def _insert_request(backend: Backend) -> ReturningInsert[Any]:
    return insert(_request).values(record=bindparam("record")).returning(_request.c.id)


def _select_requests(backend: Backend) -> Select[Any]:
    return (
        select(_request.c.id, _request.c.record)
        .where(_request.c.id > bindparam("after", None, sa.Integer))
        .order_by(_request.c.id.desc())
        .limit(MAX_REQUESTS)
    )
