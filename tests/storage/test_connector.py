"""Connecting to PostgreSQL: the time-out, and connections or errors that arrive after it."""

import threading
from typing import Any

import psycopg
import pytest
from xcom_server.storage.database import psycopg_adapter
from xcom_server.storage.database.psycopg_adapter import Connector, NoResponse

from tests.support.waiting import until


class Driver:
    """psycopg, which connects only when it is released."""

    def __init__(self, outcome: Any) -> None:
        self.released = threading.Event()
        self.finished = threading.Event()
        self._outcome = outcome

    def connect(self, *_: Any, **__: Any) -> Any:
        assert self.released.wait(60)
        self.finished.set()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def connect(driver: Driver, monkeypatch: pytest.MonkeyPatch, timeout: float) -> Any:
    monkeypatch.setattr(psycopg_adapter, "bounded_connection", lambda seconds: driver)
    return Connector(timeout, None, lambda connection: None)(None, None, [], {"host": "db"})


def test_connection_that_arrives_after_its_timeout_is_closed(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    late = psycopg.connect(postgres_url.replace("+psycopg", ""))
    driver = Driver(late)

    with pytest.raises(NoResponse, match="no host responded in time"):
        connect(driver, monkeypatch, 0.01)
    assert not late.closed
    driver.released.set()

    until(lambda: late.closed)


def test_error_that_arrives_after_the_timeout_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unhandled: list[object] = []
    monkeypatch.setattr(threading, "excepthook", unhandled.append)
    before = {*threading.enumerate()}
    driver = Driver(psycopg.OperationalError("refused"))

    with pytest.raises(NoResponse):
        connect(driver, monkeypatch, 0.01)
    [thread] = {*threading.enumerate()} - before
    driver.released.set()
    thread.join(60)

    assert driver.finished.is_set()
    assert unhandled == []


@pytest.mark.parametrize(
    "outcome", ["a connection", psycopg.OperationalError("refused")], ids=["connection", "error"]
)
def test_result_within_the_timeout_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, outcome: Any
) -> None:
    driver = Driver(outcome)
    driver.released.set()

    if isinstance(outcome, Exception):
        with pytest.raises(psycopg.OperationalError, match="refused"):
            connect(driver, monkeypatch, 60)
    else:
        assert connect(driver, monkeypatch, 60) == outcome
