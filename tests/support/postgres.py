"""PostgreSQL from PyPI that tests start, stop, kill, pause and replicate.

The context manager removes processes, shared memory and data on exit.
"""

import ctypes
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from tests.support import processes
from tests.support.postgres_user import BINARIES, as_system_user, give_to_system_user
from tests.support.waiting import until

SECONDS = 60
"""The time-out of every step, on a loaded machine."""

# Below the ephemeral ports, so that no process takes one between a stop and the next start.
PORTS = range(15_000, 32_000)

STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

# Durability is left at its defaults. Memory that processes share is in files of the data folder.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "dynamic_shared_memory_type": "mmap",
    "wal_keep_size": "64MB",
}


def either(*servers: "Postgres") -> str:
    """Return a URL with several servers that selects the writable one."""
    hosts = ",".join("127.0.0.1" for _ in servers)
    ports = ",".join(str(server.port) for server in servers)
    return (
        f"postgresql+psycopg://postgres@/postgres?host={hosts}&port={ports}"
        "&target_session_attrs=read-write"
    )


class Postgres:
    """A PostgreSQL server on a port of 127.0.0.1 and a socket, created and started on entry.

    Its log is in `folder`. Its data are in a separate folder with a path that is short enough for a
    socket. They cannot be in pytest's folder: pytest removes the permissions of other users there
    whenever a run starts, and PostgreSQL may run as another user.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self._options = OPTIONS | options
        self.port = _free_port()
        self.log = folder / f"postgres-{self.port}.log"
        self.conninfo = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_url(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self.home}&port={self.port}"

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix="xcom-pg-")).resolve()
        self.data = self.home / "data"
        try:
            give_to_system_user(self.home)
            self._make_data()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def standby(self, folder: Path) -> "Standby":
        """Return a standby of this server, which starts on entry."""
        return Standby(folder, self)

    def start(self) -> None:
        """Start, after a crash too, and return once statements succeed."""
        options = [f"--{name}={value}" for name, value in self._options.items()]
        with self.log.open("ab") as log:
            self._process = process = subprocess.Popen(
                [
                    BINARIES / "postgres",
                    "-D",
                    self.data,
                    "-p",
                    str(self.port),
                    "-k",
                    self.home,
                    *options,
                ],
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_system_user(),
            )
        until(lambda: process.poll() is not None or self._answers(), SECONDS, self.log.read_text)
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()}")

    def stop(self, mode: str = "fast") -> None:
        """Shut down with a mode: `smart`, `fast` or `immediate`."""
        assert self._process is not None
        self._process.send_signal(STOP_SIGNALS[mode])
        self._process.wait(SECONDS)

    def kill(self) -> None:
        """Crash: kill the postmaster and its backends, and return when all have ended.

        A backend that outlives the postmaster could still acknowledge a commit.
        """

        def all_gone() -> bool:
            processes.tell(pids := self.pids(), signal.SIGKILL)
            return not pids

        if self._process is not None:
            self._process.kill()
            self._process.wait(SECONDS)
        until(all_gone, SECONDS, self.log.read_text)

    def pause(self) -> None:
        """Suspend every process: connections are accepted, but statements get no response."""

        def all_paused() -> bool:
            processes.tell(pids := self.pids(), signal.SIGSTOP)
            return processes.are_stopped(pids)

        until(all_paused, SECONDS, self.log.read_text)

    def resume(self) -> None:
        """Resume the paused processes."""
        processes.tell(self.pids(), signal.SIGCONT)

    def pids(self) -> list[int]:
        """Return the processes of this PostgreSQL, the postmaster first.

        They are found by their working folder, orphaned backends included.
        """
        postmaster = self._process.pid if self._process is not None else None
        return sorted(
            processes.working_in(str(self.data)), key=lambda pid: (pid != postmaster, pid)
        )

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own, and return its rows."""
        with psycopg.connect(self.conninfo, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _make_data(self) -> None:
        _run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            folder=self.home,
        )

    def _answers(self) -> bool:
        try:
            return self.execute("SELECT 1") == [(1,)]
        except psycopg.Error:
            return False

    def _remove(self) -> None:
        try:
            self.kill()
        finally:
            _remove_shared_memory(self.data / "postmaster.pid")
            shutil.rmtree(self.home, ignore_errors=True)


class Standby(Postgres):
    """A synchronous standby: the primary confirms a commit once it is on the disks of both.

    Without the standby the primary's commits therefore wait.
    """

    def __init__(self, folder: Path, primary: Postgres) -> None:
        super().__init__(folder)
        self._primary = primary
        self._name = f"standby{self.port}"

    def start(self) -> None:
        """Start, and return once replication is synchronous."""
        super().start()
        if self.execute("SELECT pg_is_in_recovery()") == [(True,)]:
            self._primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{self._name}'")
            self._primary.execute("SELECT pg_reload_conf()")
            until(self._is_waited_for, SECONDS, self.log.read_text)

    def promote(self) -> None:
        """Become a primary without a standby; return once it is writable."""
        assert self.execute(f"SELECT pg_promote(true, {SECONDS})") == [(True,)]

    def _make_data(self) -> None:
        source = f"{self._primary.conninfo} application_name={self._name}"
        _run(
            "pg_basebackup",
            "-D",
            str(self.data),
            "-R",
            "-c",
            "fast",
            "--no-sync",
            "-d",
            source,
            folder=self.home,
        )
        with (self.data / "postgresql.auto.conf").open("a") as configuration:
            configuration.write("synchronous_standby_names = ''\n")  # the primary's may be copied

    def _is_waited_for(self) -> bool:
        return ("sync",) in self._primary.execute(
            f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{self._name}'"
        )


def _free_port() -> int:
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def _run(command: str, *arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [BINARIES / command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **as_system_user(),
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed:\n{done.stdout}{done.stderr}")


def _remove_shared_memory(pid_file: Path) -> None:
    """Remove the segment of a killed postmaster; line 7 of its pid file ends with the id."""
    if pid_file.exists() and len(lines := pid_file.read_text().splitlines()) > 6:
        ctypes.CDLL(None).shmctl(int(lines[6].split()[-1]), 0, None)  # 0 is IPC_RMID
