"""Lost connections: they are replaced and retried, or reported if the outcome is in doubt."""

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import QueuePool, event, func, make_url, select, text
from sqlalchemy.exc import DisconnectionError
from xcom_server.errors import EntryNotFound, Unavailable
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.retry import ATTEMPTS
from xcom_server.storage.models import XComKey
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import Observer

from tests.support.databases import emptied
from tests.support.stores import OpenBackend, limited

NAME = XComKey("d", "r", "t", -1, "k")


def test_failed_commit_of_one_statement_is_in_doubt(
    postgres_url: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(emptied(postgres_url))
    store = SqlXComStore(backend)
    store.create(NAME, "1")

    @event.listens_for(backend.engine, "checkout")
    def lose_commits(connection: Any, *_: Any) -> None:
        def commit() -> None:
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        connection.commit = commit

    with pytest.raises(Unavailable) as lost:
        store.replace_value(NAME, "2")

    assert lost.value.in_doubt


def test_connection_lost_during_commit_leaves_the_change_in_doubt(
    postgres_url: str, open_backend: OpenBackend
) -> None:
    backend, other = open_backend(emptied(postgres_url)), open_backend(postgres_url)
    store = SqlXComStore(backend)
    store.create(NAME, "1")

    @event.listens_for(backend.engine, "checkout")
    def terminate_before_commit(connection: Any, *_: Any) -> None:
        process, commit = connection.info.backend_pid, type(connection).commit

        def terminated_commit() -> None:
            with other.engine.connect() as killer:
                killer.execute(select(func.pg_terminate_backend(process, 5000)))
            commit(connection)

        connection.commit = terminated_commit

    with pytest.raises(Unavailable, match="connection to the database was lost") as lost:
        store.replace_value(NAME, "2")

    assert lost.value.in_doubt


def test_change_of_a_missing_entry_needs_no_commit(
    postgres_url: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(emptied(postgres_url))
    store = SqlXComStore(backend)

    @event.listens_for(backend.engine, "checkout")
    def refuse_commits(connection: Any, *_: Any) -> None:
        connection.commit = lambda: pytest.fail("a missing entry was committed")

    for change in (store.delete, lambda name: store.replace_value(name, "2")):
        with pytest.raises(EntryNotFound):
            change(NAME)


class BlackHoleProxy:
    """A proxy to PostgreSQL that can silently stop forwarding its connections."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.sockets: list[socket.socket] = [self._listener]
        self.dropped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def drop_connections(self) -> None:
        """Stop forwarding data over the existing connections, without closing them."""
        self.dropped.set()
        self.dropped = threading.Event()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                downstream, upstream = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
                upstream.connect(self._socket_path)
                self.sockets += [downstream, upstream]
                for each in ((downstream, upstream), (upstream, downstream)):
                    threading.Thread(
                        target=self._forward, args=(*each, self.dropped), daemon=True
                    ).start()

    @staticmethod
    def _forward(source: socket.socket, target: socket.socket, dropped: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not dropped.is_set():
                    target.sendall(data)


def test_one_dead_connection_invalidates_the_pool(
    postgres_url: str, open_backend: OpenBackend
) -> None:
    real = make_url(emptied(postgres_url))
    proxy = BlackHoleProxy(f"{real.query['host']}/.s.PGSQL.{real.query['port']}")
    backend = open_backend(
        f"postgresql+psycopg://postgres@127.0.0.1:{proxy.port}/postgres",
        limited(statement_timeout_seconds=1),
    )
    store = SqlXComStore(backend)
    store.create(NAME, "1")
    with ExitStack() as used:
        for _ in range(ATTEMPTS):
            used.enter_context(backend.engine.connect()).scalar(select(func.pg_backend_pid()))
    proxy.drop_connections()

    with pytest.raises(Unavailable, match="does not respond"):
        store.get(NAME)
    assert store.get(NAME).value == "1"

    for each in proxy.sockets:
        each.close()


CALLS: dict[str, Callable[[SqlXComStore, Executor], Any]] = {
    "read": lambda store, _: store.get(NAME),
    "change": lambda store, _: store.replace_value(NAME, "2"),
    "transaction": lambda _, executor: executor.transaction(
        lambda connection: connection.execute(text("SELECT 1")).scalar()
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_lost_connections_are_replaced_transparently(
    postgres_url: str, call: Callable[[SqlXComStore, Executor], Any], open_backend: OpenBackend
) -> None:
    backend, other = open_backend(emptied(postgres_url)), open_backend(postgres_url)
    executor = Executor(backend, Observer())
    store = SqlXComStore(backend)
    store.create(NAME, "1")
    with ExitStack() as used:  # more lost connections than attempts
        connections = [used.enter_context(backend.engine.connect()) for _ in range(ATTEMPTS + 1)]
        processes = [connection.scalar(select(func.pg_backend_pid())) for connection in connections]
    with other.engine.connect() as connection:
        for process in processes:
            connection.execute(select(func.pg_terminate_backend(process, 5000)))

    assert call(store, executor)


def test_two_stale_connections_in_a_row_are_unavailable(
    database_url: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(database_url)
    store = SqlXComStore(backend)

    @event.listens_for(backend.engine, "checkout")
    def refuse(*_: Any) -> None:
        raise DisconnectionError

    with pytest.raises(Unavailable, match="connection to the database was lost"):
        store.get(NAME)


def test_failed_prepare_keeps_no_connection_open(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, open_backend: OpenBackend
) -> None:
    backend = open_backend(postgres_url)

    def time_out(backend: Backend, *, create: bool) -> None:
        with backend.engine.connect() as connection:
            connection.execute(text("SET statement_timeout = 1"))
            connection.execute(text("SELECT pg_sleep(60)"))

    monkeypatch.setattr(schema, "ensure_current", time_out)

    with pytest.raises(Unavailable, match="took too long"):
        SqlXComStore(backend).prepare()

    assert cast(QueuePool, backend.engine.pool).checkedin() == 0
