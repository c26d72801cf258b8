"""Canaries for gunicorn's internals: each failure names the changed member and the fix."""

import logging
import os
import signal
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import ConfigError, HaltServer
from gunicorn.http.errors import InvalidHeader
from xcom_server.errors import OperatorError
from xcom_server.server import gunicorn_adapter
from xcom_server.server.gunicorn_adapter import BalancedWorker

from tests.support.in_process_worker import RecordingLog, prepared, responses

FIX = "Adapt {} in server/gunicorn_adapter.py."


@pytest.fixture
def config() -> Config:
    made = Config()
    made.set("logger_class", RecordingLog)
    made.set("workers", 2)
    return made


@pytest.fixture
def arbiter(config: Config) -> Arbiter:
    return Arbiter(SimpleNamespace(cfg=config))


def test_addresses_to_bind_are_empty_for_inherited_sockets(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.set("bind", "127.0.0.1:80")
    assert gunicorn_adapter.addresses_to_bind(config) == [("127.0.0.1", 80)]

    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert gunicorn_adapter.addresses_to_bind(config) == [], FIX.format("addresses_to_bind")

    monkeypatch.delenv("LISTEN_FDS")
    config.set("reuse_port", True)
    assert gunicorn_adapter.addresses_to_bind(config) == []

    config.set("reuse_port", False)
    config.set("bind", "127.0.0.1:port")
    with pytest.raises(OperatorError, match="'port' is not a valid port number"):
        gunicorn_adapter.addresses_to_bind(config)

    monkeypatch.setenv("GUNICORN_FD", "3")
    assert gunicorn_adapter.addresses_to_bind(config) == []


class CountingWorker(BalancedWorker):
    """Counts published reports."""

    reports = 0

    def publish_count(self) -> None:
        self.reports += 1


@pytest.fixture
def worker(config: Config) -> Iterator[CountingWorker]:
    with prepared(CountingWorker, config) as made:
        yield made


def test_command_args_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--threads 7 -e A=b")
    config = Config()

    gunicorn_adapter.apply_command_args(config)

    assert (config.threads, config.env) == (7, {"A": "b"}), (
        "gunicorn no longer parses GUNICORN_CMD_ARGS as before. " + FIX.format("apply_command_args")
    )


@pytest.mark.parametrize("option", ["--check-config", "--config x.py", "other:app"])
def test_command_args_of_the_gunicorn_command_are_rejected(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = vars(Config().parser().parse_args([]))
    for name in gunicorn_adapter._COMMAND_ONLY:
        assert name in known, f"gunicorn has no option {name} any more. " + FIX.format(
            "_COMMAND_ONLY"
        )
    monkeypatch.setenv("GUNICORN_CMD_ARGS", option)

    with pytest.raises(ConfigError):
        gunicorn_adapter.apply_command_args(Config())


def test_configured_addresses_keep_their_shape(arbiter: Arbiter) -> None:
    arbiter.cfg.set("bind", ["127.0.0.1:1", "unix:/run/x", "fd://3"])

    assert arbiter.cfg.address == [("127.0.0.1", 1), "/run/x", 3], (
        "gunicorn's Config.address has another shape: public addresses may pass the bind check."
        " Adapt on_starting in server/hooks.py and server/preflight.py."
    )


def test_listeners_are_the_open_sockets(arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arbiter, "init_signals", lambda: None)
    arbiter.cfg.set("bind", "127.0.0.1:0")
    arbiter.start()
    found = [
        (listener.getsockname(), str(listener)) for listener in gunicorn_adapter.listeners(arbiter)
    ]
    arbiter.stop()

    assert (
        [(host, url) for (host, port), url in found]
        == [("127.0.0.1", f"http://127.0.0.1:{port}") for (_, port), _ in found[:1]]
        != []
    ), (
        "gunicorn's Arbiter.LISTENERS does not hold the open sockets: public addresses may pass"
        " the bind check. " + FIX.format("listeners")
    )


def test_handled_signal_is_queued(arbiter: Arbiter) -> None:
    gunicorn_adapter.handle_signal(arbiter, signal.SIGTERM)

    assert arbiter.wait_for_signals(0.1) == [signal.SIGTERM], (
        "gunicorn's Arbiter.signal does not queue a signal: the server does not stop. "
        + FIX.format("handle_signal")
    )


def test_application_of_a_worker_is_found(worker: CountingWorker) -> None:
    before = gunicorn_adapter.application(worker)
    worker.app.wsgi = lambda: "the application"
    worker.load_wsgi()

    assert (before, gunicorn_adapter.application(worker)) == (None, "the application"), (
        "gunicorn's Worker.wsgi is not the application: a worker that exits does not close its"
        " connections to the database. " + FIX.format("application")
    )


def test_halt_exits_with_status_1(arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arbiter, "start", lambda: None)
    monkeypatch.setattr(arbiter, "manage_workers", lambda: gunicorn_adapter.halt("why"))

    with pytest.raises((SystemExit, HaltServer)) as exit_info:
        arbiter.run()

    assert (exit_info.type, exit_info.value.args) == (SystemExit, (1,)), (
        "gunicorn's master does not stop with status 1 on HaltServer: a reload may open a public"
        " address. " + FIX.format("halt")
    )
    assert "Reason: why" in arbiter.log.lines


class FailingWorker:
    """A worker that cannot start."""

    def __init__(self, age: int, *_: Any) -> None:
        self.age, self.cfg, self.booted = age, _[4], False
        self.tmp = SimpleNamespace(close=lambda: None)

    def init_process(self) -> None:
        raise OSError("the users file is broken")


@pytest.mark.parametrize(("already_started", "stops"), [(0, True), (1, True), (2, False)])
def test_only_a_failing_first_worker_stops_the_server(
    arbiter: Arbiter, monkeypatch: pytest.MonkeyPatch, already_started: int, stops: bool
) -> None:
    monkeypatch.setattr("os.fork", lambda: 0)  # this process plays the worker
    arbiter.cfg.set(
        "post_fork", lambda server, worker: gunicorn_adapter.survive_failed_replacement(worker)
    )
    arbiter.pid, arbiter.worker_class, arbiter.worker_age = 0, FailingWorker, already_started

    with pytest.raises(SystemExit) as exit_info:
        arbiter.spawn_worker()

    assert (exit_info.value.code == Arbiter.WORKER_BOOT_ERROR) == stops, (
        "gunicorn no longer looks at Worker.booted, or numbers workers otherwise: a replacement"
        " that cannot start stops the server, or a first worker that cannot start is started"
        " for ever. " + FIX.format("survive_failed_replacement")
    )


def test_worker_age_is_its_number(worker: CountingWorker) -> None:
    assert worker.age == 1, (
        "gunicorn's Worker.age is not the number that the master gave. "
        + FIX.format("BalancedWorker")
    )


def test_connection_is_closed_after_the_response(worker: CountingWorker) -> None:
    worker.cfg.set(
        "pre_request", lambda worker, request: gunicorn_adapter.close_after_response(request)
    )

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "0")])
        return []

    worker.wsgi = application
    response = responses(worker, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert b"\r\nConnection: close\r\n" in response, (
        "gunicorn no longer closes a connection after Request.force_close: clients keep"
        " connections to a server that is about to stop. " + FIX.format("close_after_response")
    )


def test_invalid_request_is_redacted(worker: CountingWorker) -> None:
    client, server = socket.socketpair()
    with client, server:
        worker.handle_error(None, server, ("127.0.0.1", 1), InvalidHeader("Basic hunter2"))
    (line,) = worker.log.lines
    record = logging.makeLogRecord({"msg": line})

    assert gunicorn_adapter.redact_invalid_request(record)
    assert record.getMessage() == "Invalid request from ip=127.0.0.1", (
        "gunicorn words the line about a request that it cannot parse otherwise: credentials may"
        " reach the log. " + FIX.format("redact_invalid_request")
    )


def test_worker_reports_in_each_loop_and_stops_if_not_alive(
    worker: CountingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: CountingWorker) -> None:
        self.reports += 1
        self.handle_exit(signal.SIGTERM, None)

    monkeypatch.setattr(CountingWorker, "publish_count", stop)
    worker.is_parent_alive = lambda: worker.reports < 2  # ends even if `alive` stays true

    worker.run()

    assert (worker.reports, worker.alive) == (1, False), (
        "gunicorn's Worker has no `alive`, or handle_exit does not change it: workers do not stop."
        " Adapt BufferedWorker in server/gunicorn_worker.py."
    )
