"""The PostgreSQL helper works as tests expect and removes everything on exit."""

import socket
import struct
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import Postgres, either

pytestmark = pytest.mark.slow

SEGMENTS = Path("/proc/sysvipc/shm")


def segment(postgres: Postgres) -> str:
    """Return the id of the shared memory segment of a killed PostgreSQL."""
    return (postgres.data / "postmaster.pid").read_text().splitlines()[6].split()[-1]


def test_commits_survive_a_crash_and_exit_removes_everything(tmp_path: Path) -> None:
    with Postgres(tmp_path) as postgres:
        postgres.execute("CREATE TABLE t (n int)")
        postgres.execute("INSERT INTO t VALUES (1)")
        postgres.kill()

        assert postgres.pids() == []
        with pytest.raises(psycopg.OperationalError, match="refused"):
            postgres.execute("SELECT 1")

        postgres.start()
        assert postgres.execute("SELECT n FROM t") == [(1,)]
        postgres.kill()
        left = segment(postgres)

    assert not postgres.home.exists()
    if SEGMENTS.exists():
        assert left not in {line.split()[1] for line in SEGMENTS.read_text().splitlines()}


def test_stopped_server_can_be_started_again(tmp_path: Path) -> None:
    with Postgres(tmp_path) as postgres:
        for mode in ("smart", "fast", "immediate"):
            postgres.stop(mode)
            assert postgres.pids() == []
            postgres.start()
        with psycopg.connect(postgres.socket_url.replace("+psycopg", "")) as connection:
            assert connection.execute("SHOW fsync").fetchall() == [("on",)]


def test_paused_server_accepts_connections_but_does_not_respond(tmp_path: Path) -> None:
    with Postgres(tmp_path) as postgres:
        postgres.pause()
        with socket.create_connection(("127.0.0.1", postgres.port)) as connection:
            connection.settimeout(0.5)
            connection.sendall(struct.pack("!II", 8, 80877103))  # is there TLS?
            with pytest.raises(TimeoutError):
                connection.recv(1)
            postgres.resume()
            connection.settimeout(20)
            assert connection.recv(1) == b"N"

        assert postgres.execute("SELECT 1") == [(1,)]


def test_standby_replicates_and_takes_over(tmp_path: Path) -> None:
    with Postgres(tmp_path) as primary, primary.standby(tmp_path) as standby:
        primary.execute("CREATE TABLE t (n int)")
        primary.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            standby.execute("INSERT INTO t VALUES (2)")
        primary.kill()
        standby.promote()
        standby.execute("INSERT INTO t VALUES (3)")
        url = either(primary, standby).replace("+psycopg", "")

        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (3,)]
