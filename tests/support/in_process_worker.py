"""A worker of gunicorn that runs in the test's process."""

import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

from gunicorn.config import Config
from gunicorn.workers.gthread import ThreadWorker


class RecordingLog:
    """A replacement for gunicorn's logger that keeps the lines."""

    def __init__(self, *_: Any) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda message="", *args, **_: self.lines.append(
            message % args if args and isinstance(message, str) else message
        )


W = TypeVar("W", bound=ThreadWorker)


@contextmanager
def prepared(kind: type[W], config: Config) -> Iterator[W]:
    """Yield a worker that can be run, with a log that keeps the lines."""
    made = kind(1, os.getppid(), [], SimpleNamespace(), 30, config, RecordingLog())
    made.tpool = made.get_thread_pool()
    made.poller = selectors.DefaultSelector()
    made.method_queue.init()
    yield made
    made.tpool.shutdown()
    made.method_queue.close()
    made.poller.close()
    made.tmp.close()


def run_with(worker: ThreadWorker, talk: Callable[[socket.socket], bytes]) -> bytes:
    """Run a worker while a client talks to it; return what `talk` returns."""
    received: list[bytes] = []

    def connect() -> None:
        try:
            with socket.create_connection(listener.getsockname(), timeout=30) as client:
                received.append(talk(client))
        finally:
            worker.handle_exit(15, None)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker.sockets = [listener]
        client = threading.Thread(target=connect)
        client.start()
        worker.run()
        client.join()
    return received[0]


def responses(worker: ThreadWorker, *sent: bytes) -> bytes:
    """Send requests and the end of the input; return all responses."""

    def talk(client: socket.socket) -> bytes:
        for part in sent:
            client.sendall(part)
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").read()

    return run_with(worker, talk)
