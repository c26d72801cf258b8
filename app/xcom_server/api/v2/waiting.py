"""`/wait`: the states of a run until it is finished, one JSON object on each line."""

import errno
import itertools
import json
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from flask import Response, current_app, request

from xcom_server.errors import EntryNotFound, NotFound, ResponseTooLarge, Unavailable
from xcom_server.observability import shared
from xcom_server.settings import Settings
from xcom_server.storage.models import UNMAPPED, XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.runs import DagRun
from xcom_server.storage.store import XComStore

RETURN_KEY = "return_value"

_PAGE = 1000  # entries that are listed at once
_CHECK_SECONDS = 1.0  # between two checks of the connection during a wait

_log = logging.getLogger(__name__)


class Waiting:
    """Responds to requests that wait for a run.

    A waiting request keeps a thread of the worker, but no database connection between two lines.
    One thread of each worker stays free for other requests if it has more than one.
    """

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._max_bytes = settings.max_response_bytes
        self._free = threading.Semaphore(max(settings.threads - 1, 1))
        # Parsed JSON takes up to 44 times its text. One result at a time is as fast as several,
        # because the JSON module keeps the interpreter lock.
        self._parsing = threading.Lock()

    def response(
        self, dag_id: str, run_id: str, interval: float, task_ids: Sequence[str] | None
    ) -> Response:
        """Return the stream of a run's states, with a line every `interval` seconds.

        The last line has the results of `task_ids`, or without them those of the tasks that the
        DAG declares as its result. Raises RunNotFound, and Unavailable if too many requests wait.
        """
        run = self._store.runs.get(dag_id, run_id)
        if run.is_finished:
            return _stream(_sent(self._line(run, task_ids)))
        if not self._free.acquire(blocking=False):
            raise Unavailable(
                "Too many requests are waiting for runs. Poll the run, or increase XCOM_THREADS."
            )
        refresh_clock = current_app.extensions.get("refresh_clock", lambda: None)
        response = _stream(self._lines(run, interval, task_ids, _connection(), refresh_clock))
        response.call_on_close(self._free.release)
        return response

    def _lines(
        self,
        run: DagRun,
        interval: float,
        task_ids: Sequence[str] | None,
        connection: socket.socket | None,
        refresh_clock: Callable[[], None],
    ) -> Iterator[str]:
        """Yield the parts of the lines; while the database is unavailable, a state is repeated.

        `refresh_clock` lets this thread use the clock that the emulator has then.
        Raises ConnectionResetError if the run is deleted or the server stops.
        """
        yield from _sent(self._line(run, task_ids))
        while not run.is_finished and _pause(interval, connection):
            if shared.is_draining():
                raise _cut_off(run, "the server stops")
            line = [_state(run)]
            refresh_clock()
            try:
                with suppress(Unavailable):
                    run, line = self._next(run, task_ids)
            except ResponseTooLarge:
                raise _cut_off(run, "its results are larger than a response may be") from None
            yield from _sent(line)

    def _next(self, run: DagRun, task_ids: Sequence[str] | None) -> tuple[DagRun, list[str]]:
        """Return a run as it is now, and the parts of its line."""
        try:
            current = self._store.runs.get(run.dag_id, run.run_id)
        except NotFound:
            raise _cut_off(run, "the run was deleted") from None
        return current, self._line(current, task_ids)

    def _line(self, run: DagRun, task_ids: Sequence[str] | None) -> list[str]:
        """Return the parts of a line, which are never joined because they can be large."""
        line = [_state(run)]
        if run.is_finished and (results := self._results(run, task_ids)):
            line = [line[0][: -len("}\n")], ', "results": {', *results, "}}\n"]
        if sum(map(len, line)) > self._max_bytes:
            raise ResponseTooLarge(self._max_bytes)
        return line

    def _results(self, run: DagRun, task_ids: Sequence[str] | None) -> list[str]:
        """Return the results of tasks as the members of a JSON object, with the commas.

        A mapped task has a list, in the order of its indexes. Raises ResponseTooLarge.
        """
        named = self._result_tasks(run.dag_id) if task_ids is None else task_ids
        results: list[str] = []
        left = self._max_bytes
        for task_id in sorted({*named}):
            values: dict[int, str] = {}
            for map_index, value in self._values(run, task_id):
                left -= len(value)
                if left < 0:
                    raise ResponseTooLarge(self._max_bytes)
                values[map_index] = value
            if values:
                text = ", ".join(values.values())
                is_mapped = [*values] != [UNMAPPED]
                name = (", " if results else "") + json.dumps(task_id)
                results.append(f"{name}: [{text}]" if is_mapped else f"{name}: {text}")
        return results

    def _result_tasks(self, dag_id: str) -> list[str]:
        tasks = json.loads(self._store.dags.get(dag_id).definition).get("tasks", [])
        return [task["task_id"] for task in tasks if task.get("dag_result")]

    def _values(self, run: DagRun, task_id: str) -> Iterator[tuple[int, str]]:
        """Yield the map indexes and the JSON of a task's results, ordered by map index."""
        ids = {"dag_id": run.dag_id, "run_id": run.run_id, "task_id": task_id}
        filter_ = Filter(ids | {"key": RETURN_KEY})
        for offset in itertools.count(step=_PAGE):
            page = self._store.list(filter_, limit=_PAGE, offset=offset)
            for entry in page.entries:
                key = XComKey(**ids, map_index=entry.map_index, key=RETURN_KEY)
                with suppress(EntryNotFound):  # deleted meanwhile
                    yield entry.map_index, self._as_ascii(self._store.get(key).value)
            if len(page.entries) < _PAGE:
                return

    def _as_ascii(self, text: str) -> str:
        """Return JSON text as Python writes it."""
        with self._parsing:
            return json.dumps(json.loads(text))


def _state(run: DagRun) -> str:
    return json.dumps({"state": run.state}) + "\n"


def _sent(line: list[str]) -> Iterator[str]:
    """Yield the parts of a line, and free each when the next one is wanted."""
    while line:
        yield line.pop(0)


def _cut_off(run: DagRun, reason: str) -> ConnectionResetError:
    """Log why a stream ends before its run, and return the error that cuts it off.

    The client gets an incomplete response. gunicorn logs other errors with a traceback.
    """
    _log.warning("/wait for run %r of DAG %r was cut off: %s", run.run_id, run.dag_id, reason)
    return ConnectionResetError(errno.ECONNRESET, reason)


def _stream(lines: Iterator[str]) -> Response:
    """Return a response without a Content-Type, as in Airflow."""
    response = Response(lines)
    response.headers.remove("Content-Type")
    return response


def _connection() -> socket.socket | None:
    """Return the socket of the client under gunicorn, None under another server."""
    connection: socket.socket | None = request.environ.get("gunicorn.socket")
    return connection


def _pause(seconds: float, connection: socket.socket | None) -> bool:
    """Wait, but not longer than until the server stops; return whether the client is connected."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not shared.is_draining():
        if _has_disconnected(connection):
            return False
        time.sleep(min(left, _CHECK_SECONDS))
    return True


def _has_disconnected(connection: socket.socket | None) -> bool:
    if connection is None:
        return False
    try:
        poll = select.poll()  # select() supports no file descriptor above 1023
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
