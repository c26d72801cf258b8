"""Real Airflows to compare this server with, each with its own environment and database.

peer = named("airflow3", folder)       its AIRFLOW_HOME and logs are in the folder
peer.install()                         into .venvs/airflow3 of the checkout, once
peer.prepare(postgres, 100_000)        a database, a user and the entries of the layout
with peer.serve(workers=2) as served:  served.url, .headers, .pid, .seconds_to_first_200
    peer.operations()                  the operations that this Airflow supports, by name
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
"""The connections that PostgreSQL must allow: Airflow 3.3.2 opens up to 60 per worker."""


@dataclass(frozen=True)
class PostgresServer:
    """The address of a PostgreSQL server, and a user without password who can create databases."""

    host: str
    port: int
    user: str = "postgres"

    def conninfo(self, database: str) -> str:
        """Return the libpq connection string of one of its databases."""
        return f"host={self.host} port={self.port} user={self.user} dbname={database}"


@dataclass(frozen=True)
class Served:
    """A running server; every request must have the headers, which contain the credentials.

    `pid` is the leader of a session and process group that contain only this server.
    """

    url: str
    headers: dict[str, str]
    pid: int
    seconds_to_first_200: float


class Peer(Protocol):
    """The interface of an Airflow for the benchmark."""

    name: str
    version: str

    def install(self) -> None:
        """Install the pinned versions from the package index, unless they are installed."""

    def prepare(self, postgres: PostgresServer, entries: int) -> Layout:
        """Create its database anew, with one user and a number of entries."""

    def serve(self, workers: int = 2) -> AbstractContextManager[Served]:
        """Run its server on a free loopback port, and stop all its processes afterwards."""

    def operations(self) -> dict[str, Operation]:
        """Return the operations that it supports on the prepared entries, by name."""


def named(name: str, folder: Path) -> Peer:
    """Return a peer by its name; it keeps its files in a subfolder of `folder`."""
    peer: Peer = import_module(f"bench.peers.{name}").PEER(folder / name)
    return peer
