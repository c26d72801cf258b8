"""A log handler that limits the number of lines of one kind, so that clients cannot fill the log.

Lines of one kind come from the same statement in the code, with the same level and exception.  In
each interval the first ones are written, and the others are counted in one line at its end.  Each
process counts its own lines.
"""

import logging
import os
import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass

MAX_LINES = 20  # of one kind
INTERVAL_SECONDS = 60.0
UNLIMITED = "xcom_server.requests"  # the logger of XCOM_LOG_REQUESTS, which logs each request


@dataclass
class _Interval:
    """The lines of one kind since `start`; `last` is the last one that was not written."""

    start: float
    lines: int = 0
    omitted: int = 0
    last: logging.LogRecord | None = None


class LimitedHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error at most MAX_LINES lines of a kind per INTERVAL_SECONDS."""

    def __init__(self) -> None:
        """Start without any lines."""
        super().__init__()
        self._intervals: dict[Hashable, _Interval] = {}
        self._process = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it; logging holds the handler's lock meanwhile."""
        if self._process != os.getpid():  # after a fork; the parent reports its own lines
            self._intervals.clear()
            self._process = os.getpid()
        if record.name == UNLIMITED or self._is_within_limit(record):
            super().emit(record)

    def close(self) -> None:
        """Report the lines that were omitted, and close the handler; logging calls it at exit."""
        self.acquire()
        try:
            if self._process == os.getpid():
                for kind in list(self._intervals):
                    self._end(kind)
        finally:
            self.release()
        super().close()

    def _is_within_limit(self, record: logging.LogRecord) -> bool:
        kind, now = _kind(record), time.monotonic()
        interval = self._intervals.get(kind)
        if interval is None or now - interval.start >= INTERVAL_SECONDS:
            self._end(kind)
            interval = self._intervals[kind] = _Interval(now)
        interval.lines += 1
        if interval.lines <= MAX_LINES:
            return True
        interval.omitted += 1
        interval.last = record
        if interval.omitted == 1:
            self._end_later(kind, interval)
        return False

    def _end_later(self, kind: Hashable, interval: _Interval) -> None:
        """Report the omitted lines at the end of the interval, even if no line follows."""

        def end() -> None:
            self.acquire()
            try:
                if self._intervals.get(kind) is interval:
                    self._end(kind)
            finally:
                self.release()

        timer = threading.Timer(INTERVAL_SECONDS, end)
        timer.daemon = True
        with suppress(RuntimeError):  # no thread can be started; the next line reports them
            timer.start()

    def _end(self, kind: Hashable) -> None:
        interval = self._intervals.pop(kind, None)
        if interval is None or interval.last is None:
            return
        last, seconds = interval.last, round(time.monotonic() - interval.start)
        text = f"{interval.omitted:,} more lines of this kind within {seconds} s, the last one: %s"
        report = logging.LogRecord(
            last.name, last.levelno, last.pathname, last.lineno, text, (last.getMessage(),), None
        )
        report.omitted = interval.omitted
        super().emit(report)


def _kind(record: logging.LogRecord) -> Hashable:
    """Return what lines of one kind have in common; the number of kinds is bounded by the code."""
    # A message without arguments may contain some already, such as an address.
    template = record.msg if record.args else ""
    return record.pathname, record.lineno, record.levelno, template, _place_of_exception(record)


def _place_of_exception(record: logging.LogRecord) -> Hashable:
    if not record.exc_info:
        return None
    kind, _, trace = record.exc_info
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return kind, trace and (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
