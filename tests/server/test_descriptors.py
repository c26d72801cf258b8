"""The number of connections follows from the limit of open files."""

import os
import resource
from collections.abc import Iterator

import pytest
from xcom_server.server.descriptors import available_connections

NOFILE = resource.RLIMIT_NOFILE


@pytest.fixture(autouse=True)
def limits_restored() -> Iterator[None]:
    before = resource.getrlimit(NOFILE)
    yield
    resource.setrlimit(NOFILE, before)


def set_limits(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> list[tuple[int, int]]:
    """Pretend that the process has these limits; return those that are set."""
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: made.append(limits))
    return made


def test_soft_limit_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    made = set_limits(monkeypatch, 1024, 10_000)

    assert available_connections(5000, 4) == 5000
    assert made == [(10_000, 10_000)]


@pytest.mark.parametrize("hard", [1024, resource.RLIM_INFINITY])
def test_limit_leaves_descriptors_for_the_database(
    monkeypatch: pytest.MonkeyPatch, hard: int
) -> None:
    made = set_limits(monkeypatch, 1024, hard)
    in_use = len(os.listdir("/proc/self/fd"))

    assert 1024 - in_use - 100 < available_connections(5000, 4) < 1024 - in_use - 16
    assert available_connections(10, 4) == 10
    assert made == []


def test_one_connection_is_always_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, 16, 16)

    assert available_connections(1000, 4) == 1


def test_unlimited_files_allow_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    assert available_connections(1000, 4) == 1000
