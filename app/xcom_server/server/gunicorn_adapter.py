"""The members of gunicorn that it does not document, each behind one name.

Each docstring states what is relied on.  tests/server/test_gunicorn_adapter.py fails with a
sentence when a release of gunicorn breaks one of them.
"""

import mmap
import time
from logging import LogRecord
from typing import Any, NoReturn

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import ConfigError, HaltServer
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker

WORKER_SLOTS = 64  # workers whose numbers differ by 64 share a slot
YIELD_SECONDS = 0.001  # how long a busier worker waits, also for a worker that hangs
_COMMAND_ONLY = (
    "args",
    "chdir",
    "check_config",
    "config",
    "daemon",
    "print_config",
    "pythonpath",
    "spew",
)

# Shared by all workers.  Each writes the number of its connections plus 1; 0 is a free slot.
_connection_counts = memoryview(mmap.mmap(-1, WORKER_SLOTS * 4)).cast("I")


def apply_command_args(config: Config) -> None:
    """Apply the options in GUNICORN_CMD_ARGS; raise ConfigError for those of gunicorn's command.

    Relies on `Config.parser` and `Config.get_cmd_args_from_env`.
    """
    options = config.parser().parse_args(config.get_cmd_args_from_env())
    for name, value in vars(options).items():
        if value and name in _COMMAND_ONLY:
            raise ConfigError(f"GUNICORN_CMD_ARGS: xcom-server serve does not support {name}")
        if value is not None and name not in _COMMAND_ONLY:
            config.set(name, value)


def listeners(server: Arbiter) -> list[Any]:
    """Return the open sockets, whose `str` is a URL; relies on `Arbiter.LISTENERS`."""
    return list(server.LISTENERS)


def handle_signal(server: Arbiter, number: int) -> None:
    """Handle a signal as gunicorn does; relies on `Arbiter.signal`, its own handler."""
    server.signal(number, None)


def halt(reason: str) -> NoReturn:
    """Stop workers and server with exit status 1; relies on HaltServer in the master's loop."""
    raise HaltServer(reason, 1)


def survive_failed_replacement(worker: Worker) -> None:
    """Let the server go on if a worker that is not one of the first fails to start.

    Relies on `Worker.age`, which counts from 1, and on `Worker.booted`, without which a failing
    worker exits with a status that stops the server.
    """
    worker.booted = worker.age > worker.cfg.workers


def application(worker: Worker) -> Any:
    """Return a worker's application, or None before it is loaded; relies on `Worker.wsgi`."""
    return getattr(worker, "wsgi", None)


def close_after_response(request: Any) -> None:
    """Close the connection after the response to a request; relies on `Request.force_close`."""
    request.force_close()


def redact_invalid_request(record: LogRecord) -> bool:
    """Cut from a record what gunicorn repeats of a request that it cannot parse; a logging filter.

    Relies on the wording of the message.
    """
    if str(record.msg).startswith("Invalid request from"):
        record.msg = str(record.msg).partition(": ")[0]
    return True


def release_slot(worker: Worker) -> None:
    """Forget the connections of a worker that has exited; relies on `Worker.age`, its number."""
    _connection_counts[worker.age % WORKER_SLOTS] = 0


class BalancedWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread worker, but with about as many connections as the other workers.

    A connection stays with the worker that accepted it, and gunicorn does not balance them:
    without this, one of two workers got six or seven of eight keep-alive connections in 5 of 12
    starts.  Relies on `ThreadWorker.run` calling `notify` in each turn and `accept` for each
    connection, and on `age`, `nr_conns` and `alive`.
    """

    def notify(self) -> None:
        """Report to the master that this worker is alive."""
        self.publish_count()
        super().notify()

    def accept(self, listener: Any) -> None:
        """Accept a connection, after a worker with fewer connections had the time to do so."""
        count, own = self.connection_count() + 1, self.age % WORKER_SLOTS
        if any(0 < other < count for slot, other in enumerate(_connection_counts) if slot != own):
            time.sleep(YIELD_SECONDS)
        super().accept(listener)
        self.publish_count()

    def connection_count(self) -> int:
        """Return how many connections are open."""
        return max(int(self.nr_conns), 0)  # gunicorn may count a broken connection down twice

    def publish_count(self) -> None:
        """Tell the other workers how many connections are open, or that this worker ends."""
        _connection_counts[self.age % WORKER_SLOTS] = (
            self.connection_count() + 1 if self.alive else 0
        )
