"""Hooks of gunicorn that need no server."""

import gc
import logging
import mmap
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.errors import ConfigError, HaltServer
from xcom_server.observability import shared
from xcom_server.server import gunicorn_adapter, hooks


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


def test_connections_are_closed_after_their_response_only_while_draining() -> None:
    closed: list[bool] = []
    request = SimpleNamespace(force_close=lambda: closed.append(True))

    hooks.pre_request(SimpleNamespace(), request)
    assert closed == []
    shared.begin_draining()
    hooks.pre_request(SimpleNamespace(), request)
    assert closed == [True]


def test_objects_are_kept_from_the_garbage_collector_before_a_fork() -> None:
    gc.unfreeze()
    try:
        hooks.pre_fork(SimpleNamespace(), SimpleNamespace())
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
def test_option_of_gunicorns_own_command_is_refused_by_name(
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
