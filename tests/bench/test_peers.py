"""Tests of the peers that need no installed Airflow."""

import re
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from bench.data import KEYS, Layout, value
from bench.operations import operations
from bench.peers import NAMES, PostgresServer, environment, filling, named, serving
from bench.peers.airflow import Airflow

PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+")


def constraints(name: str) -> list[str]:
    return Path(environment.__file__).with_name(f"constraints-{name}.txt").read_text().splitlines()


@pytest.fixture
def database(postgres_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres_url.replace("+psycopg", "", 1)) as connection:
        yield connection


@pytest.mark.parametrize("name", NAMES)
def test_constraints_hold_only_pinned_versions(name: str) -> None:
    assert [line for line in constraints(name) if not PIN.fullmatch(line)] == []


@pytest.mark.parametrize("name", NAMES)
def test_measured_airflow_is_the_pinned_one(name: str, tmp_path: Path) -> None:
    assert f"apache-airflow=={named(name, tmp_path).version}" in constraints(name)


@pytest.mark.parametrize("name", NAMES)
def test_peer_supports_only_known_operations(name: str, tmp_path: Path) -> None:
    peer = named(name, tmp_path)
    assert isinstance(peer, Airflow)
    assert set(peer.answers) <= set(operations(Layout(1000), peer.base))


def test_sql_creates_the_entries_of_the_layout(
    database: psycopg.Connection[tuple[object, ...]],
) -> None:
    layout = Layout(20_000)
    filling.load_instances(database, layout)
    made = database.execute(f"{filling.ENTRIES} ORDER BY number".encode()).fetchall()
    first = datetime(2024, 1, 1, tzinfo=UTC)
    assert made == [
        (
            number,
            *layout.instance(number // KEYS),
            layout.key(number),
            value(number),
            first + timedelta(milliseconds=number),
        )
        for number in range(20_000)
    ]


def test_peer_does_not_inherit_airflow_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    variables = environment.variables("airflow2", {"AIRFLOW_HOME": "here"})
    assert {
        key: text for key, text in variables.items() if key.startswith(("AIRFLOW", "PYTHON"))
    } == {"AIRFLOW_HOME": "here"}


def test_conninfo_is_in_libpqs_format() -> None:
    assert PostgresServer("127.0.0.1", 5001).conninfo("airflow2") == (
        "host=127.0.0.1 port=5001 user=postgres dbname=airflow2"
    )


def test_server_stops_with_its_child_processes(tmp_path: Path) -> None:
    stubborn = (
        f"import signal, subprocess, sys; signal.signal({signal.SIGTERM:d}, "
        "lambda *_: sys.exit()); child = subprocess.Popen(['sleep', '300']); "
        "print(child.pid, flush=True); signal.pause()"
    )
    log = tmp_path / "server.log"
    with serving.process([sys.executable, "-c", stubborn], {}, tmp_path) as started:
        serving.until_answered(started, lambda: log.read_text().endswith("\n"), log)
        child = Path(f"/proc/{log.read_text().strip()}")
        assert "sleep" in (child / "comm").read_text()
    assert not child.exists() or " Z " in (child / "stat").read_text()


def test_failed_start_shows_the_servers_log(
    tmp_path: Path,
) -> None:
    script = "print('no such option', flush=True)"
    with (
        serving.process([sys.executable, "-c", script], {}, tmp_path) as started,
        pytest.raises(RuntimeError, match="no such option"),
    ):
        serving.until_answered(started, lambda: False, tmp_path / "server.log")
