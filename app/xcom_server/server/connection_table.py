"""The open connections of a worker: their number, the size of their buffers, and their events."""

import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from xcom_server.server.connections import Connection, State

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
OWN_STATES = (State.HANDLING, State.HELD)  # that do not depend on the client
_STALLED_SECONDS = 1.0  # after which a client that neither sends nor reads makes room for others


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

    def longest_waiting(self) -> Connection | None:
        """Return the connection that has waited longest for its client, None if there is none."""
        return min(self._waiting(), key=_since, default=None)

    def drop_longest_waiting(self) -> bool:
        """Close the connection that has waited longest; return whether there was one."""
        if (connection := self.longest_waiting()) is None:
            return False
        self.drop(connection)
        return True

    def count_bytes(self, connection: Connection) -> None:
        """Count the bytes in the buffers of a connection."""
        if connection not in self._open:
            return
        size = connection.buffered_bytes()
        self._bytes += size - connection.counted_bytes
        connection.counted_bytes = size
        self.make_room()

    def make_room(self) -> None:
        """Close connections while the buffers have too many bytes and a client is stalled.

        Above twice the maximum, clients that read or begin a request are closed too, from the one
        that has waited longest. Uploads that make progress never are: they are paused.
        """
        while self.is_full and (connection := self._dispensable()):
            self.drop(connection)

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

    def _waiting(self) -> Iterator[Connection]:
        """Yield the connections that wait for their clients."""
        for each in self._open:
            if each.state not in OWN_STATES and each not in self._paused:
                yield each

    def _dispensable(self) -> Connection | None:
        """Return the connection to close so that its bytes are freed, None if there is none."""
        waiting = [each for each in self._waiting() if each.counted_bytes]
        longest = min(waiting, key=_since, default=None)
        if longest is None or time.monotonic() - longest.since >= _STALLED_SECONDS:
            return longest
        if self._bytes <= 2 * self._most_bytes:
            return None
        return min(
            (each for each in waiting if each.state is not State.BODY), key=_since, default=None
        )


def _since(connection: Connection) -> float:
    return connection.since
