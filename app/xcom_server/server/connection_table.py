"""The open connections of a worker: their number, the size of their buffers, and their events."""

import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from xcom_server.server.connections import Connection, State

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_STALLED_SECONDS = 1.0  # after which an upload without progress makes room for others


class ConnectionTable:
    """Connections, of which the one that has waited longest is closed if there is no room."""

    def __init__(
        self,
        poller: selectors.BaseSelector,
        on_ready: Callable[[Connection], None],
        most_bytes: int,
    ) -> None:
        self._poller = poller
        self._on_ready = on_ready
        self._most_bytes = most_bytes
        self._open: set[Connection] = set()
        self._paused: set[Connection] = set()  # uploads that wait because the buffers are full
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter([*self._open])

    @property
    def is_full(self) -> bool:
        """Whether the buffers have more bytes than they may."""
        return self._bytes > self._most_bytes

    def add(self, connection: Connection) -> None:
        """Add a connection, which nothing is waited for yet."""
        self._open.add(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection at once."""
        if connection in self._open:
            self.watch(connection, 0)
            self._open.discard(connection)
            self._paused.discard(connection)
            self._bytes -= connection.counted_bytes
            connection.close()

    def watch(self, connection: Connection, events: int) -> None:
        """Call `on_ready` for these events of a connection, 0 for none."""
        before, connection.watched = connection.watched, events
        if before == events:
            return
        ready = partial(self._ready, connection)
        with suppress(OSError, KeyError, ValueError):  # a socket that is closed already
            if not events:
                self._poller.unregister(connection.socket)
            elif not before:
                self._poller.register(connection.socket, events, ready)
            else:
                self._poller.modify(connection.socket, events, ready)

    def longest_waiting(self, *, with_bytes: bool = False) -> Connection | None:
        """Return the connection that has waited longest for its client, None if there is none.

        `with_bytes` selects from those with bytes in their buffers.
        """
        waiting = (
            each
            for each in self._open
            if each.state is not State.HANDLING
            and each not in self._paused
            and (not with_bytes or each.counted_bytes)
        )
        return min(waiting, key=lambda each: each.since, default=None)

    def drop_longest_waiting(self) -> bool:
        """Close the connection that has waited longest; return whether there was one."""
        if (connection := self.longest_waiting()) is None:
            return False
        self.drop(connection)
        return True

    def count_bytes(self, connection: Connection) -> None:
        """Count the bytes in the buffers; if there are too many, close connections."""
        if connection not in self._open:
            return
        size = connection.buffered_bytes()
        self._bytes += size - connection.counted_bytes
        connection.counted_bytes = size
        while self.is_full and self._make_room():
            pass

    def pause(self, connection: Connection) -> None:
        """Read no more of an upload until there is room."""
        self.watch(connection, 0)
        self._paused.add(connection)

    def resume(self) -> Iterator[Connection]:
        """Yield the paused uploads that can be read again.

        While the buffers are full this is only the first of them, which may exceed the maximum:
        otherwise uploads that together fill the buffers would wait for each other.
        """
        while self._paused:
            connection = min(self._paused, key=lambda each: each.since)
            connection.may_exceed = self.is_full
            self._paused.discard(connection)
            self.watch(connection, READ)
            yield connection
            if connection.may_exceed:
                return

    def _ready(self, connection: Connection, _socket: object) -> None:
        self._on_ready(connection)
        self.count_bytes(connection)

    def _make_room(self) -> bool:
        """Close the connection with bytes that has waited longest, unless it is uploading."""
        connection = self.longest_waiting(with_bytes=True)
        if connection is None:
            return False
        is_uploading = time.monotonic() - connection.since < _STALLED_SECONDS
        if connection.state is State.BODY and is_uploading:
            return False
        self.drop(connection)
        return True
