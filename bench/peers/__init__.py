"""Real Airflows to measure the server beside, each with an environment and database of its own.

peer = named("airflow3", folder)       its AIRFLOW_HOME and logs go into the folder
peer.install()                         into .venvs/airflow3 of the checkout, once
peer.prepare(postgres, 100_000)        a database, a user and the entries of the layout
with peer.serve(workers=2) as served:  served.url, .headers, .pid, .seconds_to_first_200
    peer.operations()                  the requests that this Airflow answers, by name
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from bench.data import Layout
from bench.operations import Operation

NAMES = ("airflow2", "airflow3")

CONNECTIONS = 150
"""What a PostgreSQL has to allow: Airflow 3.3.2 may open 60 for each of two workers."""


@dataclass(frozen=True)
class PostgresServer:
    """Where a PostgreSQL listens, and as whom databases may be made there without a password."""

    host: str
    port: int
    user: str = "postgres"

    def conninfo(self, database: str) -> str:
        """Return what libpq connects to one of its databases with."""
        return f"host={self.host} port={self.port} user={self.user} dbname={database}"


@dataclass(frozen=True)
class Served:
    """A server that answers; every request carries the headers, which say who asks.

    `pid` leads a session and process group that hold nothing but this server.
    """

    url: str
    headers: dict[str, str]
    pid: int
    seconds_to_first_200: float


class Peer(Protocol):
    """What the benchmark knows of an Airflow."""

    name: str
    version: str

    def install(self) -> None:
        """Install from the package index what is pinned, unless that is done."""

    def prepare(self, postgres: PostgresServer, entries: int) -> Layout:
        """Make its database anew, with one user and so many entries."""

    def serve(self, workers: int = 2) -> AbstractContextManager[Served]:
        """Answer on a free port of loopback; nothing is left running afterwards."""

    def operations(self) -> dict[str, Operation]:
        """Return those operations that it has, over the layout that was prepared."""


def named(name: str, folder: Path) -> Peer:
    """Return the peer of a name, which keeps its files in a folder."""
    peer: Peer = import_module(f"bench.peers.{name}").PEER(folder / name)
    return peer
