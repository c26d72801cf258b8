"""CPU time per request: WSGI calls to all contenders in one process, alternately.

`time.process_time` counts only the threads of this process, so it includes neither other programs
on the machine nor the database server.
"""

import gc
import io
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from xcom_server.factory import create_app
from xcom_server.settings import Settings

from bench import bare, floor
from bench.data import Layout
from bench.operations import V1, Operation, Request, operations

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

THIS = "this, responses checked"
UNCHECKED = "this"
BARE = "bare"
MARSHMALLOW = "bare with marshmallow"
FLOOR = "floor"

REQUESTS = {
    "GET entry": 200,
    "list of 100": 30,
    "list of all, first page": 8,
    "list of all, deep": 8,
    "POST": 60,
    "PATCH": 60,
    "DELETE": 60,
}
"""By operation, the number of requests in one measurement."""


@dataclass(frozen=True)
class Measured:
    """Microseconds of CPU time per request, one number for each round."""

    contender: str
    operation: str
    microseconds: list[float]


def contenders(url: str) -> dict[str, Application]:
    """Return the applications on one database, by label."""
    return {
        THIS: create_app(Settings(database_url=url, validate_responses=True)),
        UNCHECKED: create_app(Settings(database_url=url)),
        BARE: bare.create_app(url),
        MARSHMALLOW: bare.create_app(url, with_marshmallow=True),
        FLOOR: floor.create_app(url),
    }


def measure(
    url: str, layout: Layout, rounds: int, names: Iterable[str] = tuple(REQUESTS)
) -> Iterator[Measured]:
    """Yield the CPU time of each contender for each operation; a round measures all contenders."""
    applications = contenders(url)
    numbers = iter(range(10**9))
    for name in names:
        operation = operations(layout, V1)[name]
        times: dict[str, list[float]] = {contender: [] for contender in applications}
        for round_ in range(rounds + 1):
            for contender in random.sample(list(applications), len(applications)):
                batch = _batch(operation, numbers)
                if name == "DELETE":
                    _make(applications[FLOOR], layout, batch)
                taken = _timed(applications[contender], operation, batch)
                if round_:  # the first one warms up
                    times[contender].append(taken)
        yield from (Measured(contender, name, each) for contender, each in times.items())


def _batch(operation: Operation, numbers: Iterator[int]) -> list[tuple[int, dict[str, Any]]]:
    return [
        (number := next(numbers), environ(operation.request(number)))
        for _ in range(REQUESTS[operation.name])
    ]


def _make(
    application: Application, layout: Layout, batch: list[tuple[int, dict[str, Any]]]
) -> None:
    """Create the entries that a batch of DELETE requests deletes."""
    post = operations(layout, V1)["POST"]
    for number, _ in batch:
        call(application, environ(post.request(number)))


def _timed(
    application: Application, operation: Operation, batch: list[tuple[int, dict[str, Any]]]
) -> float:
    gc.collect()
    start = time.process_time()
    statuses = [call(application, each) for _, each in batch]
    taken = time.process_time() - start
    if set(statuses) != {operation.status}:
        raise RuntimeError(f"{operation.name} returned {sorted(set(statuses))}")
    return taken / len(batch) * 1_000_000


def call(application: Application, environ: dict[str, Any]) -> int:
    """Make one request as a WSGI server would, and return the status of the response."""
    statuses: list[str] = []
    body = application(environ, lambda status, headers, error=None: statuses.append(status))
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
    return int(statuses[0].split()[0])


def environ(request: Request) -> dict[str, Any]:
    """Return the WSGI environment of a request, as gunicorn passes it to an application."""
    path, _, query = request.path.partition("?")
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "PATH_INFO": unquote(path, "latin-1"),
        "RAW_URI": request.path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "HTTP_ACCEPT": "*/*",
        "CONTENT_TYPE": "application/json" if request.body else "",
        "CONTENT_LENGTH": str(len(request.body)) if request.body else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
