"""`python -m bench.workers`: compare numbers of workers and threads, and classes of workers.

It uses SQLite, and PostgreSQL with and without 20 ms of network latency.  Its results are
discussed in docs/decisions/0008-speed.md.
"""

import asyncio
import itertools
import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import serving, wrk
from bench.databases import Databases
from bench.operations import operations
from bench.peers.serving import free_port
from bench.plan import POSTGRESQL, SQLITE

KINDS = [
    ("sync", 2, 1),
    ("sync", 4, 1),
    ("threads", 2, 2),
    ("threads", 2, 4),
    ("threads", 2, 8),
    ("threads", 2, 16),
    ("threads", 4, 4),
]
"""Worker class (`threads` is the server's own), number of workers, threads per worker."""

CONNECTIONS = (8, 64)
LATENCY = 0.02
SECONDS = 2

_numbers = itertools.count()


def main() -> None:
    """Print a table of requests per second and p99 in ms, for GET entry."""
    with (
        tempfile.TemporaryDirectory(prefix="xcom-bench-") as folder,
        Databases(Path(folder), 100_000) as databases,
    ):
        sqlite, postgres = databases.url(SQLITE), databases.url(POSTGRESQL)
        port = databases.postgres().port
        with _slowed(port) as slow_port:
            slow = postgres.replace(f":{port}/", f":{slow_port}/")
            columns = list(
                itertools.product(
                    {"SQLite": sqlite, "PostgreSQL": postgres, "PostgreSQL + 20 ms": slow}.items(),
                    CONNECTIONS,
                )
            )
            print(
                "| class, workers x threads |",
                " | ".join(
                    f"{name}, {connections} connections" for (name, _), connections in columns
                ),
                "|",
            )
            print("|---" * (len(columns) + 1) + "|")
            for kind in KINDS:
                cells = [
                    _measured(kind, url, connections, databases)
                    for (_, url), connections in columns
                ]
                print(f"| {kind[0]}, {kind[1]} x {kind[2]} |", " | ".join(cells), "|", flush=True)


def _measured(kind: tuple[str, int, int], url: str, connections: int, databases: Databases) -> str:
    name, workers, threads = kind
    operation = operations(databases.layout)["GET entry"]
    settings: dict[str, Any] = {"XCOM_THREADS": str(threads)}
    if name == "sync":
        settings["GUNICORN_CMD_ARGS"] = "--worker-class sync"
    with serving.this(
        url, operation.request(0), databases.folder / "this", workers=workers, **settings
    ) as served:
        script = wrk.script(operation, served.url, served.headers, _numbers, made_by=None)
        wrk.drive(served.url, script, connections, 1)
        done = wrk.drive(served.url, script, connections, SECONDS)
    return f"{done.requests_per_second:,.0f} ({done.p99:.0f})"


@contextmanager
def _slowed(port: int) -> Iterator[int]:
    """Yield the port of a proxy to this port that delays everything sent to it."""
    slow = free_port()
    proxy = multiprocessing.Process(target=_delay, args=(slow, port), daemon=True)
    proxy.start()
    try:
        yield slow
    finally:
        proxy.terminate()
        proxy.join()


def _delay(slow: int, port: int) -> None:
    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
    ) -> None:
        while data := await reader.read(65536):
            if seconds:
                await asyncio.sleep(seconds)
            writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, there[1], LATENCY), pump(there[0], writer, 0))

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", slow)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
