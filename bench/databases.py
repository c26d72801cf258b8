"""The databases of a run: created and filled on first use, and removed with the run."""

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy import make_url

from bench.data import Layout, fill
from bench.operations import new_key
from bench.peers import CONNECTIONS
from bench.plan import SQLITE
from tests.support.postgres import Postgres

_NEW = f"DELETE FROM xcom WHERE key LIKE '{new_key(0)[:-2]}!_%' ESCAPE '!'"

# PostgreSQL's defaults; the tests use less memory and fewer connections.
_OPTIONS = {"shared_buffers": "128MB", "max_connections": str(CONNECTIONS)}


class Databases:
    """An SQLite file and a PostgreSQL server, each with the same number of entries."""

    def __init__(self, folder: Path, entries: int) -> None:
        self.folder = folder
        self.layout = Layout(entries)
        self._urls: dict[str, str] = {}
        self._servers: list[Postgres] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def url(self, kind: str) -> str:
        """Return the URL of the database of a kind, and fill it on first use."""
        if kind not in self._urls:
            url = f"sqlite:///{self.folder}/xcom.db" if kind == SQLITE else self._new_database()
            fill(url, self.layout.entries)
            self._urls[kind] = url
        return self._urls[kind]

    def postgres(self) -> Postgres:
        """Return the PostgreSQL server, which is started on first use."""
        if not self._servers:
            server = Postgres(self.folder, **_OPTIONS)
            self._servers.append(self._stack.enter_context(server))
        return self._servers[0]

    def url_of(self, name: str) -> str:
        """Return the URL of a database on the PostgreSQL server."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.postgres().port}/{name}"

    def _new_database(self) -> str:
        self.postgres().execute("CREATE DATABASE bench")
        return self.url_of("bench")


def remove_new(url: str) -> None:
    """Delete the entries that requests have created, and do the database's maintenance."""
    if make_url(url).get_backend_name() == SQLITE:
        file = make_url(url).database or ""
        with closing(sqlite3.connect(file, isolation_level=None)) as sqlite:
            sqlite.execute(_NEW)
            sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(_NEW.encode())
            connection.execute("VACUUM ANALYZE xcom")
