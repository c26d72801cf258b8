"""The members of gunicorn that it does not document, each behind one name.

Each docstring states what is relied on.  tests/server/test_gunicorn_adapter.py fails with a
sentence when a release of gunicorn breaks one of them.
"""

import signal
from typing import Any, NoReturn

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import ConfigError, HaltServer
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker

_COMMAND_ONLY = ("chdir", "check_config", "daemon", "print_config", "pythonpath", "spew")
_INVALID_REQUEST = "Invalid request from"


def apply_command_args(config: Config) -> None:
    """Apply the options in GUNICORN_CMD_ARGS; raise ConfigError for those of gunicorn's command.

    Relies on `Config.parser` and `Config.get_cmd_args_from_env`.
    """
    options = config.parser().parse_args(config.get_cmd_args_from_env())
    for name, value in vars(options).items():
        if value is None or name == "args":
            continue
        if name in _COMMAND_ONLY:
            raise ConfigError(f"GUNICORN_CMD_ARGS: xcom-server serve does not support {name}")
        config.set(name, value)


def configured_addresses(server: Arbiter) -> list[Any]:
    """Return what `bind` names: host and port, path, or file descriptor.

    Relies on `Config.address`.
    """
    return list(server.cfg.address)


def listeners(server: Arbiter) -> list[Any]:
    """Return the open sockets, whose `str` is a URL; relies on `Arbiter.LISTENERS`."""
    return list(server.LISTENERS)


def request_stop(server: Arbiter) -> None:
    """Stop the server gracefully; relies on `Arbiter.signal`, gunicorn's handler of SIGTERM."""
    server.signal(signal.SIGTERM, None)


def halt(reason: str) -> NoReturn:
    """Stop workers and server with exit status 1; relies on HaltServer in the master's loop."""
    raise HaltServer(reason, 1)


def survive_failed_replacement(worker: Worker) -> None:
    """Let the server go on if a worker that is not one of the first fails to start.

    Relies on `Worker.age`, which counts from 1, and on `Worker.booted`, without which a failing
    worker exits with a status that stops the server.
    """
    worker.booted = worker.age > worker.cfg.workers


def close_after_response(request: Any) -> None:
    """Close the connection after the response to a request; relies on `Request.force_close`."""
    request.force_close()


def redact_invalid_request(message: str) -> str:
    """Cut what gunicorn repeats of a request that it cannot parse; relies on the log's wording."""
    return message.partition(": ")[0] if message.startswith(_INVALID_REQUEST) else message


def worker_number(worker: Worker) -> int:
    """Return a number that no other worker of this server has; relies on `Worker.age`."""
    return int(worker.age)


class ObservableWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread worker, with methods to override around its connections.

    Relies on `ThreadWorker.run` calling `notify` in each turn and `accept` for each connection,
    and on `nr_conns` and `alive`.
    """

    def before_accept(self) -> None:
        """Run before a connection is accepted."""

    def connections_changed(self) -> None:
        """Run after a connection was accepted, and about once a second."""

    def connection_count(self) -> int:
        """Return how many connections are open."""
        return max(int(self.nr_conns), 0)  # gunicorn may count a broken connection down twice

    def is_running(self) -> bool:
        """Return whether the worker still accepts connections."""
        return bool(self.alive)

    def notify(self) -> None:
        """Report to the master that this worker is alive."""
        self.connections_changed()
        super().notify()

    def accept(self, listener: Any) -> None:
        """Accept a connection."""
        self.before_accept()
        super().accept(listener)
        self.connections_changed()
