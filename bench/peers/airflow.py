"""The common part of both Airflows: installation, data, start and requests."""

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from bench import operations
from bench.data import TASKS, Layout
from bench.operations import Operation
from bench.peers import PostgresServer, Served, environment, filling, serving

USER = "admin"
PASSWORD = "admin"

DAGS = """\
from datetime import datetime

from airflow import DAG
from {operators} import EmptyOperator

for number in range({dags}):
    with DAG(f"dag_{{number}}", schedule=None, start_date=datetime(2024, 1, 1)) as dag:
        for nth in range({tasks}):
            EmptyOperator(task_id=f"task_{{nth}}")
    globals()[dag.dag_id] = dag
"""


class Airflow(ABC):
    """One Airflow, whose AIRFLOW_HOME is `folder`.

    It has Airflow's default options, except those in `settings`, each with its reason.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    base: ClassVar[str]
    answers: ClassVar[tuple[str, ...]]
    """The operations that it supports, with their names in `bench.operations`."""

    packages: ClassVar[tuple[str, ...]]
    operators: ClassVar[str]
    """The module of its EmptyOperator."""

    statements: ClassVar[tuple[str, ...]]
    """SQL that fills its tables, given the table `instance` of `filling`."""

    def __init__(self, folder: Path) -> None:
        self.home = folder.resolve()
        self._postgres: PostgresServer | None = None
        self._layout: Layout | None = None

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Return the environment variables that only this Airflow needs."""

    @abstractmethod
    def make_user(self) -> None:
        """Create the user, with all permissions."""

    @abstractmethod
    def command(self, port: int, workers: int) -> list[str]:
        """Return the arguments of `airflow` that start its server on loopback."""

    @abstractmethod
    def headers(self, url: str) -> dict[str, str]:
        """Return the headers with the user's credentials.

        Raises ConnectionError if the server is not ready yet.
        """

    def install(self) -> None:
        """Install the pinned versions, unless they are installed."""
        environment.install(self.name, f"apache-airflow=={self.version}", *self.packages)

    def prepare(self, postgres: PostgresServer, entries: int) -> Layout:
        """Create its database anew, with its DAGs, its user and a number of entries."""
        layout = Layout(entries)
        self._postgres, self._layout = postgres, layout
        (self.home / "dags").mkdir(parents=True, exist_ok=True)
        (self.home / "dags" / "layout.py").write_text(
            DAGS.format(operators=self.operators, dags=layout.dags, tasks=TASKS)
        )
        filling.create_database(postgres, self.name)
        self.run("db", "migrate")
        self.run("dags", "reserialize")
        self.make_user()
        filling.fill(postgres.conninfo(self.name), layout, self.statements)
        return layout

    @contextmanager
    def serve(self, workers: int = 2) -> Iterator[Served]:
        """Run its server on a free loopback port, and stop all its processes afterwards."""
        port = serving.free_port()
        url = f"http://127.0.0.1:{port}"
        first = self.operations()["GET entry"].request(0)
        headers: dict[str, str] = {}

        def answered() -> bool:
            headers.update(self.headers(url))
            return serving.ask(url, first, headers).status == 200

        for left in self.home.glob("*.pid"):  # from a server that was killed
            left.unlink()
        start = time.perf_counter()
        with serving.process(
            [environment.command(self.name), *self.command(port, workers)],
            self._variables(),
            self.home,
        ) as process:
            serving.until_answered(process, answered, self.home / "server.log")
            yield Served(url, headers, process.pid, time.perf_counter() - start)

    def operations(self) -> dict[str, Operation]:
        """Return the operations that it supports on the prepared entries, by name."""
        assert self._layout is not None, "prepare comes first"
        found = operations.operations(self._layout, self.base)
        return {name: found[name] for name in self.answers}

    def run(self, *arguments: str) -> None:
        """Run a command of `airflow`; its output is in prepare.log."""
        log = self.home / "prepare.log"
        with log.open("ab") as output:
            done = subprocess.run(
                [environment.command(self.name), *arguments],
                env=self._variables(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            raise RuntimeError(f"airflow {arguments} failed:\n{log.read_text()[-5000:]}")

    def _variables(self) -> dict[str, str]:
        assert self._postgres is not None, "prepare comes first"
        at = self._postgres
        return environment.variables(
            self.name,
            {
                "AIRFLOW_HOME": str(self.home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{at.user}@{at.host}:{at.port}/{self.name}",
            }
            | self.settings(),
        )
