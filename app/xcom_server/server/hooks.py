"""gunicorn's server hooks: what happens at start, reload and stop, and around a worker's life."""

import gc
import os
import signal
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from xcom_server.errors import OperatorError
from xcom_server.observability import shared
from xcom_server.server import gunicorn_adapter, preflight
from xcom_server.settings import Settings


def on_starting(server: Arbiter) -> None:
    """Run the start-up checks, and exit with one line if one fails."""
    with preflight.exit_on_error():
        preflight.check(Settings.from_env(), server.cfg.address, server.cfg.workers)


def when_ready(server: Arbiter) -> None:
    """Check the sockets, which systemd may have opened, and log where the server is."""
    with preflight.exit_on_error():
        settings = Settings.from_env()
        preflight.check_addresses(settings, _open_addresses(server))
    places = ", ".join(map(str, gunicorn_adapter.listeners(server)))
    server.log.info(
        "xcom-server answers at %s/api/v1 and /api/v2 (page: %s/api/v2/ui/)", places, places
    )
    _drain_on_sigterm(server, settings.drain_seconds)


def on_reload(server: Arbiter) -> None:
    """Check the sockets before new workers start, since a reload may open other ones."""
    try:
        preflight.check_addresses(Settings.from_env(), _open_addresses(server))
    except OperatorError as error:
        gunicorn_adapter.halt(f"xcom-server: {error}")


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Keep the garbage collector off what workers share: it would write to all of it."""
    gc.freeze()


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Start a failed replacement again; a broken users file must not stop the other workers."""
    gunicorn_adapter.survive_failed_replacement(worker)


def post_worker_init(worker: Worker) -> None:
    """Leave Ctrl-C to the master.

    A terminal sends it to workers too, and a gthread worker that gets two signals hangs until
    the master kills it (seen with gunicorn 27.0.1).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def pre_request(worker: Worker, request: Any) -> None:
    """Close connections after their response while the server drains."""
    if shared.is_draining():
        gunicorn_adapter.close_after_response(request)


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Clean up after a worker that has exited."""
    gunicorn_adapter.release_slot(worker)
    shared.mark_process_dead(worker.pid)


BY_NAME = {
    hook.__name__: hook
    for hook in (
        on_starting,
        when_ready,
        on_reload,
        pre_fork,
        post_fork,
        post_worker_init,
        pre_request,
        child_exit,
    )
}


def _open_addresses(server: Arbiter) -> list[Any]:
    return [listener.getsockname() for listener in gunicorn_adapter.listeners(server)]


def _drain_on_sigterm(server: Arbiter, seconds: int) -> None:
    """On SIGTERM, let /ready fail for some seconds before the server stops.

    A second SIGTERM stops the server at once.
    """
    master = os.getpid()

    def drain(number: int, frame: Any) -> None:
        if os.getpid() != master:
            os._exit(0)  # a worker that was just forked and has no signal handlers yet
        if shared.is_draining() or not seconds:
            gunicorn_adapter.request_stop(server)
        shared.begin_draining()
        signal.alarm(seconds)

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGALRM, lambda number, frame: gunicorn_adapter.request_stop(server))
