"""How gunicorn serves: read by gunicorn itself, which takes its settings from the names here."""

import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from xcom_server.auth.tokens import InvalidKeyFile, load_or_create_key
from xcom_server.auth.users import InvalidUsersFile, UsersFile
from xcom_server.errors import DatabaseUnusable, SchemaMismatch
from xcom_server.observability import draining, logs, multiproc_dir
from xcom_server.server.bind_check import InsecureBind, refuse_public_bind
from xcom_server.server.worker import forget
from xcom_server.settings import Settings, SettingsError
from xcom_server.storage.opening import connected_backend
from xcom_server.storage.sql import schema

try:
    _settings = Settings.from_env()
except SettingsError as error:
    sys.exit(f"xcom-server: {error}")

if _settings.metrics:
    multiproc_dir.make()


class ServerLogger(Logger):  # type: ignore[misc]
    """Writes gunicorn's own lines as the application's are written."""

    def setup(self, cfg: Config) -> None:
        """Set the format, now and after a reload."""
        super().setup(cfg)
        logs.write_to_stderr(self.error_log, _settings.log_format)


bind = _settings.bind
workers = _settings.workers
worker_class = "xcom_server.server.worker.BalancedWorker"
threads = _settings.threads
max_requests = _settings.max_requests
max_requests_jitter = _settings.max_requests // 10  # so that workers are not replaced at once
graceful_timeout = _settings.graceful_timeout_seconds
logger_class = ServerLogger
limit_request_line = 8190  # gunicorn's most: a key of 512 characters is 6 KB percent-encoded
control_socket_disable = True  # nobody administers this server over a socket in a home folder


def on_starting(server: Arbiter) -> None:
    """Refuse, in one line and before any worker starts, what cannot work."""
    try:
        settings = Settings.from_env()  # again: gunicorn's own options may have changed them
        url = settings.database_url
        for address in server.cfg.address:
            refuse_public_bind(settings, address)
        if settings.auth == "users":
            UsersFile(settings.users_file).users()
            load_or_create_key(Path(settings.token_key_file))
        with connected_backend(url) as backend:  # closed after: connections must not cross a fork
            if backend.is_in_memory and server.cfg.workers > 1:
                raise DatabaseUnusable(
                    f"{url} is a database in memory, which each of the {server.cfg.workers}"
                    " workers would have for itself. Run one worker (--workers 1), or store in"
                    " a file.")
            schema.ensure_current(backend)
    except (SettingsError, InsecureBind, InvalidUsersFile, InvalidKeyFile, DatabaseUnusable,
            SchemaMismatch) as error:
        sys.exit(f"xcom-server: {error}")


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Leave what has been imported to be shared: collecting garbage would write to all of it."""
    gc.freeze()


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Let a worker that cannot start be tried again, where the server has already run.

    gunicorn would end the server for it, and with it the workers that are well: for a users file
    that is broken just now, say.
    """
    worker.booted = worker.age > server.cfg.workers


def post_worker_init(worker: Worker) -> None:
    """Look at the sockets themselves, and leave Ctrl-C to the master, which tells its workers.

    Sockets may be handed over by others, and a reload may open new ones. A terminal sends Ctrl-C
    to both, and a gthread worker that is told twice hangs until the master kills it (seen with
    gunicorn 27.0.1).
    """
    settings = Settings.from_env()
    try:
        for listener in worker.sockets:
            refuse_public_bind(settings, listener.getsockname())
    except InsecureBind as error:
        worker.log.error("xcom-server: %s", error)
        _end_server(worker)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_server(worker: Worker) -> NoReturn:
    """End all workers and the master, which fails over two workers that end like the first."""
    if worker.age % worker.cfg.workers == 1 % worker.cfg.workers:
        sys.exit(Arbiter.WORKER_BOOT_ERROR)
    while worker.alive:  # until the master says so
        time.sleep(0.05)
    sys.exit(0)


def when_ready(server: Arbiter) -> None:
    """Say where the server is, and prepare to leave."""
    places = ", ".join(str(listener) for listener in server.LISTENERS)
    server.log.info("xcom-server answers at %s/api/v1 and /api/v2 (page: %s/api/v2/ui/)", places,
                    places)
    _drain_before_stopping(server)


def _drain_before_stopping(server: Arbiter) -> None:
    """Let SIGTERM first make /ready say no, and stop the workers when balancers have seen it.

    A second SIGTERM stops at once.
    """
    def term(number: int, frame: Any) -> None:
        if os.getpid() != server.pid:
            os._exit(0)  # a worker that was only just forked, and knows no signals yet
        if draining.is_draining() or not _settings.drain_seconds:
            server.signal(signal.SIGTERM, frame)
        draining.begin()
        signal.alarm(_settings.drain_seconds)

    signal.signal(signal.SIGTERM, term)
    signal.signal(signal.SIGALRM, lambda number, frame: server.signal(signal.SIGTERM, frame))


def pre_request(worker: Worker, request: Any) -> None:
    """Close connections after their answer when the server is about to stop."""
    if draining.is_draining():
        worker.cfg.set("keepalive", 0)


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Forget the connections of a worker that is gone."""
    forget(worker)
    if _settings.metrics:
        multiproc_dir.forget(worker.pid)
