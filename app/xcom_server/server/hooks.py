"""gunicorn's server hooks: functions that it calls at start, reload and stop, and per worker."""

import gc
import logging
import os
import signal
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from xcom_server import releases
from xcom_server.errors import OperatorError
from xcom_server.observability import logs, metrics_folder, shared
from xcom_server.server import gunicorn_adapter, listening, preflight
from xcom_server.settings import Settings
from xcom_server.storage import opening


def on_starting(server: Arbiter) -> None:
    """Run the start-up checks; exit with status 1 and a one-line message if one fails.

    All processes of the server then use the same database file from any working directory, and none
    of them creates it again.  A master started by SIGUSR2 neither creates it nor loads seed files.
    """
    environ = os.environ
    replaces_a_master = gunicorn_adapter.replaces_a_master(server)
    if replaces_a_master:
        environ["XCOM_CREATE_DATABASE"] = "false"
    with preflight.exit_on_error():
        settings = Settings.from_env()
        if not replaces_a_master:
            listening.remove_old_port_file(settings)
        # The application does this in each worker, and the checks log in the master.
        logs.write_to_stderr(logging.getLogger("xcom_server"), settings.log_format)
        environ["XCOM_DATABASE_URL"] = opening.absolute(settings.database_url)
        preflight.check(settings, server.cfg.address, server.cfg.workers)
        if settings.seed and not replaces_a_master:
            from xcom_server.server import seeding  # which no other server needs

            seeding.load(settings)
        for level, sentence in opening.exposures(environ["XCOM_DATABASE_URL"]):
            server.log.log(level, sentence)
    environ["XCOM_CREATE_DATABASE"] = "false"


def when_ready(server: Arbiter) -> None:
    """Check the sockets, which systemd may have opened, and publish and log their URLs."""
    with preflight.exit_on_error():
        settings = Settings.from_env()
        preflight.check_addresses(settings, _open_addresses(server))
        listening.publish(settings, gunicorn_adapter.listeners(server))
    urls = ", ".join(
        f"{listener}{settings.base_path}" for listener in gunicorn_adapter.listeners(server)
    )
    versions = [*releases.parse(settings.airflow_version)]
    server.log.info(
        "xcom-server is ready at %s%s (Swagger UI: %s/api/%s/ui/)",
        urls,
        " and ".join(f"/api/{name}" for name in versions),
        urls,
        versions[-1],
    )
    if settings.emulator:
        server.log.info("The control plane is at %s/_emulator/", urls)
    _install_signal_handlers(server, settings.drain_seconds)


def on_reload(server: Arbiter) -> None:
    """Check the sockets before new workers start, since a reload may open different ones."""
    try:
        preflight.check_addresses(Settings.from_env(), _open_addresses(server))
    except OperatorError as error:
        gunicorn_adapter.halt(f"xcom-server: {error}")


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Exempt existing objects from garbage collection, which would copy shared memory pages.

    Also reserve the worker's files of metrics.
    """
    metrics_folder.reserve_slot(gunicorn_adapter.number(worker))
    gc.freeze()


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Keep the other workers running if a replacement fails, and block Ctrl-C in the worker.

    A replacement fails on a broken users file, for example.  A terminal sends SIGINT to the workers
    too, and a gthread worker that receives two signals hangs until the master kills it (observed
    with gunicorn 27.0.1).
    """
    metrics_folder.use_slot(gunicorn_adapter.number(worker))
    gunicorn_adapter.survive_failed_replacement(worker)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def pre_request(worker: Worker, request: Any) -> None:
    """Close connections after their response while the server drains."""
    if shared.is_draining():
        gunicorn_adapter.close_after_response(request)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Close the worker's connections to the database.

    When the last connection is closed, SQLite copies its write-ahead log into the database.
    """
    if (app := gunicorn_adapter.application(worker)) is not None:
        app.extensions["store"].close()
        if "emulator" in app.extensions:
            app.extensions["emulator"].close()


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Clean up after a worker that has exited."""
    gunicorn_adapter.release_slot(worker)
    metrics_folder.release_slot(gunicorn_adapter.number(worker))


BY_NAME = {
    hook.__name__: hook
    for hook in (
        on_starting,
        when_ready,
        on_reload,
        pre_fork,
        post_fork,
        pre_request,
        worker_exit,
        child_exit,
    )
}


def _open_addresses(server: Arbiter) -> list[Any]:
    return [listener.getsockname() for listener in gunicorn_adapter.listeners(server)]


def _install_signal_handlers(server: Arbiter, drain_seconds: int) -> None:
    """On SIGTERM, make /ready return 503 for some seconds, then stop the server.

    A second SIGTERM stops the server at once, and so do SIGINT and SIGQUIT.  A worker inherits the
    handlers when it is forked; without them, it would ignore signals until it installs its own.
    """
    master = os.getpid()

    def exit_new_worker() -> None:
        if os.getpid() != master:
            os._exit(0)

    def quit_now(number: int, frame: Any) -> None:
        exit_new_worker()
        gunicorn_adapter.handle_signal(server, number)

    def drain(number: int, frame: Any) -> None:
        exit_new_worker()
        if shared.is_draining() or not drain_seconds:
            gunicorn_adapter.handle_signal(server, signal.SIGTERM)
        shared.begin_draining()
        signal.alarm(drain_seconds)

    def stop(number: int, frame: Any) -> None:
        gunicorn_adapter.handle_signal(server, signal.SIGTERM)

    signal.signal(signal.SIGINT, quit_now)
    signal.signal(signal.SIGQUIT, quit_now)
    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGALRM, stop)
