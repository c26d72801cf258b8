"""The undocumented members of gunicorn that this server uses, each in one function or class.

Each docstring states what it relies on.  tests/server/test_gunicorn_adapter.py names the one that
a new release of gunicorn breaks.
"""

import mmap
import os
import time
from logging import LogRecord
from typing import Any, NoReturn

from gunicorn import systemd
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import ConfigError, HaltServer
from gunicorn.workers.base import Worker

from xcom_server.errors import OperatorError
from xcom_server.server.gunicorn_worker import BufferedWorker

WORKER_SLOTS = 64  # workers whose numbers differ by a multiple of 64 share a slot
YIELD_SECONDS = 0.001  # how long a worker with more connections waits before it accepts one
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

# Shared by all workers.  Each stores its number of connections plus 1; 0 is a free slot.
_connection_counts = memoryview(mmap.mmap(-1, WORKER_SLOTS * 4)).cast("I")


def apply_command_args(config: Config) -> None:
    """Apply the options in GUNICORN_CMD_ARGS.

    Raises ConfigError for an option that is invalid, or that only gunicorn's own command supports.
    Relies on `Config.parser` and `Config.get_cmd_args_from_env`.
    """
    parser = config.parser()
    parser.error = _invalid_command_args  # not the usage of all options, and exit status 2
    try:
        options = parser.parse_args(config.get_cmd_args_from_env())
    except ValueError as error:  # an open quotation mark
        _invalid_command_args(str(error))
    for name, value in vars(options).items():
        if value and name in _COMMAND_ONLY:
            raise ConfigError(f"GUNICORN_CMD_ARGS: xcom-server serve does not support {name}")
        if value is not None and name not in _COMMAND_ONLY:
            config.set(name, value)


def _invalid_command_args(reason: str) -> NoReturn:
    raise ConfigError(f"GUNICORN_CMD_ARGS: {reason}")


def addresses_to_bind(config: Config) -> list[Any]:
    """Return the addresses that the master will bind, none if it inherits its sockets.

    Sockets come from systemd, or with GUNICORN_FD from a master that received SIGUSR2.  Raises
    OperatorError for an invalid address.  Relies on `Config.address` and `systemd.listen_fds`.
    """
    if "GUNICORN_FD" in os.environ or systemd.listen_fds(unset_environment=False):
        return []
    try:
        return [] if config.reuse_port else list(config.address)  # workers bind with reuse_port
    except RuntimeError as error:
        raise OperatorError(f"XCOM_BIND or GUNICORN_CMD_ARGS: {error}") from None


def listeners(server: Arbiter) -> list[Any]:
    """Return the open sockets; `str()` of a socket is its URL.  Relies on `Arbiter.LISTENERS`."""
    return list(server.LISTENERS)


def handle_signal(server: Arbiter, number: int) -> None:
    """Handle a signal as gunicorn does.  Relies on `Arbiter.signal`, its own handler."""
    server.signal(number, None)


def halt(reason: str) -> NoReturn:
    """Stop workers and server with exit status 1.  Relies on HaltServer in the master's loop."""
    raise HaltServer(reason, 1)


def survive_failed_replacement(worker: Worker) -> None:
    """Keep the server running if a worker started later than the first ones fails to start.

    Relies on `Worker.age`, which counts from 1, and on `Worker.booted`: a worker that fails while
    this is false exits with a status that stops the server.
    """
    worker.booted = worker.age > worker.cfg.workers


def number(worker: Worker) -> int:
    """Return the number of a worker, which no other one of its master has.

    Relies on `Worker.age`.
    """
    return int(worker.age)


def application(worker: Worker) -> Any:
    """Return a worker's application, None before it is loaded.  Relies on `Worker.wsgi`."""
    return getattr(worker, "wsgi", None)


def close_after_response(request: Any) -> None:
    """Close the connection after the response to a request.  Relies on `Request.force_close`."""
    request.force_close()


def redact_invalid_request(record: LogRecord) -> bool:
    """Remove the part of an invalid request that gunicorn logs; this is a logging filter.

    Relies on the wording of the message.
    """
    if str(record.msg).startswith("Invalid request from"):
        record.msg = str(record.msg).partition(": ")[0]
    return True


def replaces_a_master(server: Arbiter) -> bool:
    """Return whether SIGUSR2 started this master beside one that serves already."""
    return bool(server.master_pid)


def release_slot(worker: Worker) -> None:
    """Free the slot of a worker that has exited.  Relies on `Worker.age`, its number."""
    _connection_counts[worker.age % WORKER_SLOTS] = 0


class BalancedWorker(BufferedWorker):
    """A worker with about as many connections as each other worker.

    A connection stays with the worker that accepted it, and gunicorn does not balance them:
    without this class, one of two workers got six or seven of eight keep-alive connections in 5 of
    12 starts.  Relies on `age` and `alive`.
    """

    def notify(self) -> None:
        """Send the master a heartbeat, and publish the number of connections."""
        self.publish_count()
        super().notify()

    def accept(self, listener: Any) -> None:
        """Accept a connection; if another worker has fewer, wait first so that it can accept."""
        count, own = len(self.clients) + 1, self.age % WORKER_SLOTS
        if any(0 < other < count for slot, other in enumerate(_connection_counts) if slot != own):
            time.sleep(YIELD_SECONDS)
        super().accept(listener)
        self.publish_count()

    def publish_count(self) -> None:
        """Store the number of connections for the other workers, or 0 if this worker is ending."""
        _connection_counts[self.age % WORKER_SLOTS] = len(self.clients) + 1 if self.alive else 0
