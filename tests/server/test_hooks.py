"""Hooks of gunicorn that need no server."""

import gc
import logging
import mmap
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
from gunicorn.config import Config
from gunicorn.errors import ConfigError, HaltServer
from xcom_server.observability import shared
from xcom_server.server import gunicorn_adapter, hooks

HANDLED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGALRM)


@pytest.fixture(autouse=True)
def not_draining(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the test a flag of its own, which is not set."""
    monkeypatch.setattr(shared, "_draining", mmap.mmap(-1, 1))


def server(address: tuple[str, int]) -> SimpleNamespace:
    listener = SimpleNamespace(getsockname=lambda: address)
    return SimpleNamespace(LISTENERS=[listener])


def test_reload_that_opens_a_public_address_stops_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XCOM_AUTH", "none")
    hooks.on_reload(server(("127.0.0.1", 80)))

    with pytest.raises(HaltServer) as halted:
        hooks.on_reload(server(("0.0.0.0", 80)))

    assert halted.value.exit_status == 1
    assert halted.value.reason.startswith("xcom-server: refusing to listen on 0.0.0.0:80: ")


def test_connections_close_after_a_response_only_while_draining() -> None:
    closed: list[bool] = []
    request = SimpleNamespace(force_close=lambda: closed.append(True))

    hooks.pre_request(SimpleNamespace(), request)
    assert closed == []
    shared.begin_draining()
    hooks.pre_request(SimpleNamespace(), request)
    assert closed == [True]


class Master:
    """A master that listens on loopback and records the signals that it is to handle."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        self.lines: list[str] = []
        self.log = SimpleNamespace(info=lambda line, *given: self.lines.append(line % given))
        self.LISTENERS = [Listener()]

    def signal(self, number: int, frame: object) -> None:
        self.signals.append(number)


class Listener:
    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 8080

    def __str__(self) -> str:
        return "http://127.0.0.1:8080"


@pytest.fixture
def make_master(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Master]]:
    """Yield a function that starts a master with a drain time; its handlers are removed later."""
    before = {number: signal.getsignal(number) for number in HANDLED}

    def make(drain_seconds: int) -> Master:
        monkeypatch.setenv("XCOM_DRAIN_SECONDS", str(drain_seconds))
        master = Master()
        hooks.when_ready(master)
        return master

    yield make
    signal.alarm(0)
    for number, handler in before.items():
        signal.signal(number, handler)


def receive(number: int) -> None:
    """Call the handler of a signal."""
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)


def test_addresses_are_logged_at_the_start(make_master: Callable[[int], Master]) -> None:
    assert make_master(1).lines == [
        "xcom-server is ready at http://127.0.0.1:8080/api/v1 and /api/v2"
        " (Swagger UI: http://127.0.0.1:8080/api/v2/ui/)"
    ]


def test_logged_addresses_include_the_base_path(
    make_master: Callable[[int], Master], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XCOM_BASE_PATH", "/airflow")

    assert make_master(1).lines == [
        "xcom-server is ready at http://127.0.0.1:8080/airflow/api/v1 and /api/v2"
        " (Swagger UI: http://127.0.0.1:8080/airflow/api/v2/ui/)"
    ]


def test_logged_addresses_are_those_of_the_emulated_release(
    make_master: Callable[[int], Master], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XCOM_AIRFLOW_VERSION", "2.10.5")

    assert make_master(1).lines == [
        "xcom-server is ready at http://127.0.0.1:8080/api/v1"
        " (Swagger UI: http://127.0.0.1:8080/api/v1/ui/)"
    ]


def test_new_worker_exits_with_status_0(
    make_master: Callable[[int], Master], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has the handlers of the master until gunicorn installs its own."""
    master = make_master(3600)
    statuses: list[int] = []

    def exit_process(status: int) -> NoReturn:
        statuses.append(status)
        raise SystemExit

    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        with monkeypatch.context() as patch:
            patch.setattr(os, "_exit", exit_process)
            patch.setattr(os, "getpid", lambda: 0)
            with pytest.raises(SystemExit):
                receive(number)

    assert statuses == [0, 0, 0]
    assert (master.signals, shared.is_draining()) == ([], False)


def test_sigterm_drains_and_stops_the_server_later(make_master: Callable[[int], Master]) -> None:
    master = make_master(3600)

    receive(signal.SIGTERM)
    assert shared.is_draining()
    assert master.signals == []
    assert 0 < signal.alarm(0) <= 3600

    receive(signal.SIGALRM)
    assert master.signals == [signal.SIGTERM]


def test_second_sigterm_stops_the_server_at_once(make_master: Callable[[int], Master]) -> None:
    master = make_master(3600)

    receive(signal.SIGTERM)
    receive(signal.SIGTERM)

    assert master.signals == [signal.SIGTERM]


def test_sigterm_without_a_drain_time_stops_the_server_at_once(
    make_master: Callable[[int], Master],
) -> None:
    master = make_master(0)

    receive(signal.SIGTERM)

    assert master.signals == [signal.SIGTERM]
    assert signal.alarm(0) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_other_signals_are_passed_on_to_gunicorn(
    make_master: Callable[[int], Master], number: int
) -> None:
    master = make_master(3600)

    receive(number)

    assert master.signals == [number]
    assert not shared.is_draining()


@pytest.mark.parametrize(("age", "is_replacement"), [(2, False), (3, True)])
def test_post_fork_blocks_sigint_and_marks_replacements_booted(
    age: int, is_replacement: bool
) -> None:
    worker = SimpleNamespace(age=age, cfg=SimpleNamespace(workers=2))

    try:
        hooks.post_fork(SimpleNamespace(), worker)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    assert worker.booted is is_replacement
    assert signal.SIGINT in blocked


def test_worker_that_exits_closes_its_store() -> None:
    closed: list[bool] = []
    store = SimpleNamespace(close=lambda: closed.append(True))

    hooks.worker_exit(SimpleNamespace(), SimpleNamespace(wsgi=None))
    assert closed == []
    app = SimpleNamespace(extensions={"store": store})
    hooks.worker_exit(SimpleNamespace(), SimpleNamespace(wsgi=app))
    assert closed == [True]


def test_objects_are_kept_from_the_garbage_collector_before_a_fork() -> None:
    gc.unfreeze()
    try:
        hooks.pre_fork(SimpleNamespace(), SimpleNamespace(age=1))
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--daemon", "daemon"),
        ("--check-config", "check_config"),
        ("--print-config", "print_config"),
        ("--config x.py", "config"),
        ("--chdir /", "chdir"),
        ("--pythonpath /x", "pythonpath"),
        ("--spew", "spew"),
        ("other:app", "args"),
    ],
)
def test_error_names_the_option_of_the_gunicorn_command(
    monkeypatch: pytest.MonkeyPatch, option: str, name: str
) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", option)

    with pytest.raises(ConfigError) as error:
        gunicorn_adapter.apply_command_args(Config())

    assert str(error.value) == f"GUNICORN_CMD_ARGS: xcom-server serve does not support {name}"


def test_only_the_line_about_an_invalid_request_is_cut() -> None:
    for message, expected in (
        ("Invalid request from ip=1: secret", "Invalid request from ip=1"),
        ("Other line: kept", "Other line: kept"),
    ):
        record = logging.makeLogRecord({"msg": message})
        assert gunicorn_adapter.redact_invalid_request(record)
        assert record.msg == expected


@pytest.mark.parametrize("master_pid", [0, 1], ids=["first", "started by SIGUSR2"])
def test_only_the_first_master_creates_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, master_pid: int
) -> None:
    """The relative path becomes absolute, and no later process creates the file."""
    logged: list[str] = []
    log = SimpleNamespace(log=lambda level, sentence: logged.append(sentence))
    cfg = SimpleNamespace(address=[("127.0.0.1", 80)], workers=1)
    master = SimpleNamespace(master_pid=master_pid, cfg=cfg, log=log)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XCOM_DATABASE_URL", "sqlite:///xcom.db")
    monkeypatch.setenv("XCOM_CREATE_DATABASE", "true")

    if master_pid:
        with pytest.raises(SystemExit, match=r"xcom\.db: the file does not exist"):
            hooks.on_starting(master)
    else:
        hooks.on_starting(master)
        os.chmod("xcom.db", 0o644)
        hooks.on_starting(master)
        assert [each.partition(" (")[0] for each in logged] == [
            f"Every local user can read {tmp_path}/xcom.db and block it"
        ]

    assert (tmp_path / "xcom.db").exists() is not bool(master_pid)
    assert os.environ["XCOM_DATABASE_URL"] == f"sqlite:///{tmp_path}/xcom.db"
    assert os.environ["XCOM_CREATE_DATABASE"] == "false"
