"""gunicorn's settings, as they follow from the server's."""

import socket
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from gunicorn.config import Config
from xcom_server.server import hooks
from xcom_server.server.launch import addresses, configure
from xcom_server.settings import Settings

BALANCED = "xcom_server.server.gunicorn_adapter.BalancedWorker"
BUFFERED = "xcom_server.server.gunicorn_worker.BufferedWorker"


def test_every_setting_of_gunicorn_follows_from_the_servers_settings() -> None:
    settings = Settings(
        bind="localhost:1",
        workers=3,
        threads=5,
        max_requests=1000,
        graceful_timeout_seconds=7,
        keep_alive_seconds=8,
        max_connections=9,
    )

    configured = configure(settings)

    assert callable(configured.pop("logger_class"))
    assert configured == {
        "bind": ["localhost:1"],
        "workers": 3,
        "worker_class": BALANCED,
        "threads": 5,
        "max_requests": 1000,
        "max_requests_jitter": 100,
        "graceful_timeout": 7,
        "limit_request_line": 8190,
        "keepalive": 8,
        "worker_connections": 9,
        "sendfile": False,
        "control_socket_disable": True,
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        **hooks.BY_NAME,
    }


@pytest.mark.parametrize(("max_requests", "jitter"), [(0, 0), (9, 0), (10, 1), (25, 2)])
def test_workers_are_restarted_up_to_a_tenth_later(max_requests: int, jitter: int) -> None:
    assert configure(Settings(max_requests=max_requests))["max_requests_jitter"] == jitter


@pytest.mark.parametrize(("balance", "worker"), [(True, BALANCED), (False, BUFFERED)])
def test_worker_class_depends_on_balance_connections(balance: bool, worker: str) -> None:
    assert configure(Settings(balance_connections=balance))["worker_class"] == worker


@pytest.mark.parametrize("name", hooks.BY_NAME)
def test_each_hook_has_the_name_that_gunicorn_calls_it_by(name: str) -> None:
    assert hooks.BY_NAME[name] is getattr(hooks, name)
    assert name in Config().settings


@pytest.mark.parametrize("bind", ["0.0.0.0:80", "[::1]:80", "unix:/run/x", "fd://3", "localhost:0"])
def test_address_is_passed_to_gunicorn(bind: str) -> None:
    assert configure(Settings(bind=bind))["bind"] == [bind]


class Socket(nullcontext[None]):
    """A socket of IPv6 on a host with `net.ipv6.bindv6only`."""

    def __init__(self, family: int) -> None:
        assert family == socket.AF_INET6
        super().__init__()

    def __enter__(self) -> Any:
        return self

    def getsockopt(self, level: int, name: int) -> int:
        assert (level, name) == (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        return 1


def no_ipv6(family: int) -> Socket:
    raise OSError("Address family not supported by protocol")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(Socket, ["[::]:80", "0.0.0.0:80"]), (no_ipv6, ["0.0.0.0:80"])],
    ids=["bindv6only", "no IPv6"],
)
def test_all_addresses_include_ipv4(
    kind: Callable[[int], Socket], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket", kind)

    assert addresses("[::]:80") == expected


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this host has no dual-stack sockets")
def test_one_socket_is_used_for_all_addresses() -> None:
    assert addresses("[::]:80") == ["[::]:80"]
