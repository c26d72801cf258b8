"""A time limit for the statements of SQLite, which has no setting for it.

One thread per process interrupts the statements that take too long.  SQLite's progress handler
would need no thread, but it calls Python during a statement, which then waits for the interpreter
lock while other threads are busy.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

_AGAIN_SECONDS = 0.01  # until an interrupted statement that still runs is interrupted again

# Looked up once, because each of them is called for every statement.
_now = time.monotonic
_cursor = sqlite3.Connection.cursor
_execute = sqlite3.Cursor.execute
_executemany = sqlite3.Cursor.executemany
_fetchone = sqlite3.Cursor.fetchone
_fetchmany = sqlite3.Cursor.fetchmany
_fetchall = sqlite3.Cursor.fetchall


class Watch:
    """Interrupts the connections whose statements have passed their deadline.

    The thread starts with the first statement, and sleeps while no statement runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[sqlite3.Connection, float] = {}
        self._is_idle = True
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, connection: sqlite3.Connection, deadline: float) -> None:
        """Interrupt a connection at a time, in seconds of time.monotonic(), until `remove`."""
        with self._lock:
            self._deadlines[connection] = deadline
            if self._is_idle:
                self._is_idle = False
                self._start()
                self._wake.set()

    def remove(self, connection: sqlite3.Connection) -> None:
        """Do not interrupt a connection any more; its statement has ended."""
        with self._lock:
            del self._deadlines[connection]

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="time limit", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._wake.wait():
            self._wake.clear()
            while (seconds := self._interrupt_overdue()) is not None:
                time.sleep(seconds)

    def _interrupt_overdue(self) -> float | None:
        """Interrupt what is overdue; return the seconds to the next check, None if idle."""
        with self._lock:  # so that no connection is interrupted in its next statement
            if not self._deadlines:
                self._is_idle = True
                return None
            now = _now()
            for connection, deadline in self._deadlines.items():
                if deadline <= now:
                    connection.interrupt()
            return max(min(self._deadlines.values()) - now, _AGAIN_SECONDS)


_watch = Watch()


def _renew() -> None:
    """Replace the watch in a new process, which does not inherit its thread."""
    global _watch
    _watch = Watch()


os.register_at_fork(after_in_child=_renew)


class LimitedCursor(sqlite3.Cursor):
    """A cursor whose statements raise OperationalError (SQLITE_INTERRUPT) after a time limit.

    Only the time in SQLite counts, not the time between two calls.
    """

    __slots__ = ("_left",)  # seconds of the current statement; faster than a dictionary

    connection: "LimitedConnection"

    def execute(self, *arguments: Any) -> Any:
        """Run a statement."""
        self._left = self.connection.time_limit
        return self._limited(_execute, *arguments)

    def executemany(self, *arguments: Any) -> Any:
        """Run a statement with each of several sets of parameters; the limit is for all of them."""
        self._left = self.connection.time_limit
        return self._limited(_executemany, *arguments)

    def fetchone(self) -> Any:
        """Return the next row."""
        return self._limited(_fetchone)

    def fetchmany(self, *arguments: Any) -> Any:
        """Return the next rows."""
        return self._limited(_fetchmany, *arguments)

    def fetchall(self) -> Any:
        """Return all rows that remain."""
        return self._limited(_fetchall)

    def _limited(self, call: Callable[..., Any], *arguments: Any) -> Any:
        connection = self.connection
        if not connection.time_limit:
            return call(self, *arguments)
        start = _now()
        _watch.add(connection, start + self._left)
        try:
            return call(self, *arguments)
        finally:
            _watch.remove(connection)
            self._left -= _now() - start


class LimitedConnection(sqlite3.Connection):
    """A connection whose cursors interrupt statements after `time_limit` seconds; 0 disables it.

    The methods of the connection itself, such as `commit`, are not limited.
    """

    time_limit = 0.0

    def cursor(self, factory: Any = LimitedCursor) -> Any:
        """Return a cursor with this connection's time limit."""
        return _cursor(self, factory)
