"""Connections that are lost: replaced where nobody needs to know, and told where somebody does."""

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


def test_a_commit_of_one_statement_that_nobody_heard_of_is_in_doubt(
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


def test_a_connection_that_is_lost_while_it_commits_leaves_the_change_in_doubt(
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


def test_nothing_is_in_doubt_of_a_change_that_met_no_entry(
    postgres_url: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(emptied(postgres_url))
    store = SqlXComStore(backend)

    @event.listens_for(backend.engine, "checkout")
    def refuse_commits(connection: Any, *_: Any) -> None:
        connection.commit = lambda: pytest.fail("there is nothing to commit")

    for change in (store.delete, lambda name: store.replace_value(name, "2")):
        with pytest.raises(EntryNotFound):
            change(NAME)


class Forgetful:
    """A way to PostgreSQL that can forget its connections, without a word to either end."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.sockets: list[socket.socket] = [self._listener]
        self.forgotten = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        """Pass nothing on any more over the connections that there are."""
        self.forgotten.set()
        self.forgotten = threading.Event()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, there = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
                there.connect(self._place)
                self.sockets += [here, there]
                for each in ((here, there), (there, here)):
                    threading.Thread(
                        target=self._pass_on, args=(*each, self.forgotten), daemon=True
                    ).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket, gone: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not gone.is_set():
                    target.sendall(data)


def test_of_connections_that_were_lost_in_silence_the_first_condemns_the_others(
    postgres_url: str, open_backend: OpenBackend
) -> None:
    real = make_url(emptied(postgres_url))
    way = Forgetful(f"{real.query['host']}/.s.PGSQL.{real.query['port']}")
    backend = open_backend(
        f"postgresql+psycopg://postgres@127.0.0.1:{way.port}/postgres",
        limited(statement_timeout_seconds=1),
    )
    store = SqlXComStore(backend)
    store.create(NAME, "1")
    with ExitStack() as used:
        for _ in range(ATTEMPTS):
            used.enter_context(backend.engine.connect()).scalar(select(func.pg_backend_pid()))
    way.forget()

    with pytest.raises(Unavailable, match="does not respond"):
        store.get(NAME)
    assert store.get(NAME).value == "1"

    for each in way.sockets:
        each.close()


USES: dict[str, Callable[[SqlXComStore, Executor], Any]] = {
    "read": lambda store, _: store.get(NAME),
    "change": lambda store, _: store.replace_value(NAME, "2"),
    "transaction": lambda _, executor: executor.transaction(
        lambda connection: connection.execute(text("SELECT 1")).scalar()
    ),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_lost_connections_are_replaced_without_anybody_noticing(
    postgres_url: str, use: Callable[[SqlXComStore, Executor], Any], open_backend: OpenBackend
) -> None:
    backend, other = open_backend(emptied(postgres_url)), open_backend(postgres_url)
    executor = Executor(backend, Observer())
    store = SqlXComStore(backend)
    store.create(NAME, "1")
    with ExitStack() as used:  # as many connections as it takes to outlast all attempts
        connections = [used.enter_context(backend.engine.connect()) for _ in range(ATTEMPTS + 1)]
        processes = [connection.scalar(select(func.pg_backend_pid())) for connection in connections]
    with other.engine.connect() as connection:
        for process in processes:
            connection.execute(select(func.pg_terminate_backend(process, 5000)))

    assert use(store, executor)


def test_two_stale_connections_in_a_row_are_no_failure_of_the_server(
    database_url: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(database_url)
    store = SqlXComStore(backend)

    @event.listens_for(backend.engine, "checkout")
    def refuse(*_: Any) -> None:
        raise DisconnectionError

    with pytest.raises(Unavailable, match="connection to the database was lost"):
        store.get(NAME)


def test_a_store_that_cannot_be_prepared_keeps_no_connection_over_a_fork(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, open_backend: OpenBackend
) -> None:
    backend = open_backend(postgres_url)

    def time_out(backend: Backend) -> None:
        with backend.engine.connect() as connection:
            connection.execute(text("SET statement_timeout = 1"))
            connection.execute(text("SELECT pg_sleep(60)"))

    monkeypatch.setattr(schema, "ensure_current", time_out)

    with pytest.raises(Unavailable, match="took too long"):
        SqlXComStore(backend).prepare()

    assert cast(QueuePool, backend.engine.pool).checkedin() == 0
