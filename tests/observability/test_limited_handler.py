"""Lines of one kind are limited and counted; no kind of line is lost."""

import io
import logging
import os
import threading
from collections.abc import Iterator

import pytest
from xcom_server.observability import limited_handler
from xcom_server.observability.limited_handler import MAX_LINES, LimitedHandler

from tests.support.waiting import until


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limited_handler, "time", clock)
    return clock


class Log(logging.Logger):
    """A logger with the handler, and the lines that were written."""

    def __init__(self, name: str = "test") -> None:
        super().__init__(name)
        self.stream = io.StringIO()
        self.handler = LimitedHandler()
        self.handler.setStream(self.stream)
        self.addHandler(self.handler)

    def lines(self) -> list[str]:
        """Return the lines since the last call."""
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return text.splitlines()


@pytest.fixture
def log(clock: Clock) -> Iterator[Log]:
    log = Log()
    yield log
    log.handler.close()


def warn(log: Log, count: int, text: str = "first") -> None:
    for number in range(count):
        log.warning(text + " %d", number)


def test_lines_over_the_limit_are_counted(log: Log, clock: Clock) -> None:
    warn(log, 2000)
    assert log.lines() == [f"first {number}" for number in range(MAX_LINES)]

    clock.now += 60
    warn(log, 1)

    assert log.lines() == [
        "1,980 more lines of this kind within 60 s, the last one: first 1999",
        "first 0",
    ]


def test_lines_within_the_limit_are_all_written(log: Log, clock: Clock) -> None:
    for _ in range(5):
        warn(log, MAX_LINES)
        clock.now += 60

    assert len(log.lines()) == 5 * MAX_LINES


def test_each_kind_has_its_own_limit(log: Log) -> None:
    warn(log, MAX_LINES + 1)

    warn(log, 1, "another reason")
    log.warning("another statement")
    log.error("an error")

    assert log.lines()[MAX_LINES:] == ["another reason 0", "another statement", "an error"]


def test_each_exception_has_its_own_limit(log: Log) -> None:
    def fail(kind: int) -> None:
        try:
            if kind == 0:
                raise ValueError
            raise (KeyError if kind == 1 else ValueError)
        except (KeyError, ValueError):
            log.exception("failed")

    for kind in (0,) * 100 + (1, 2):
        fail(kind)

    lines = log.lines()
    assert lines.count("failed") == MAX_LINES + 2
    assert lines.count("Traceback (most recent call last):") == MAX_LINES + 2


def test_line_without_arguments_has_the_kind_of_its_statement(log: Log) -> None:
    for number in range(100):
        log.warning(f"Invalid request from ip=10.0.0.{number}")

    assert len(log.lines()) == MAX_LINES


def test_requests_are_not_limited() -> None:
    log = Log(limited_handler.UNLIMITED)

    for number in range(100):
        log.info("GET %d", number)

    assert len(log.lines()) == 100


def test_omitted_lines_are_reported_at_exit(log: Log) -> None:
    warn(log, MAX_LINES + 3)
    log.handler.close()

    assert log.lines()[MAX_LINES:] == [
        "3 more lines of this kind within 0 s, the last one: first 22"
    ]


def test_omitted_lines_are_reported_though_no_line_follows(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_handler, "INTERVAL_SECONDS", 0.01)

    warn(log, MAX_LINES + 3)

    seen: list[str] = []
    until(lambda: seen.extend(log.lines()) or len(seen) > MAX_LINES)  # type: ignore[func-returns-value]
    assert seen[MAX_LINES] == "3 more lines of this kind within 0 s, the last one: first 22"


def test_line_is_omitted_though_no_thread_can_be_started(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", fail)

    warn(log, MAX_LINES + 3)

    assert len(log.lines()) == MAX_LINES


def test_forked_process_does_not_report_lines_of_its_parent(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    warn(log, MAX_LINES + 3)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    warn(log, 1)
    log.handler.close()

    assert log.lines()[MAX_LINES:] == ["first 0"]
