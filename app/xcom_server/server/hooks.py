"""gunicorn's server hooks: what happens at start, reload and stop, and around a worker's life."""

import gc
import os
import signal
from collections.abc import Callable
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from xcom_server.observability import draining, multiproc_dir
from xcom_server.server import gunicorn_adapter, preflight
from xcom_server.server.bind_check import InsecureBind
from xcom_server.server.worker import release_slot
from xcom_server.settings import Settings, SettingsError


class Hooks:
    """The hooks for these settings, each a method with gunicorn's name for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def by_name(self) -> dict[str, Callable[..., None]]:
        """Return the hooks by gunicorn's names."""
        hooks: list[Callable[..., None]] = [
            self.on_starting, self.when_ready, self.on_reload, self.pre_fork, self.post_fork,
            self.post_worker_init, self.pre_request, self.child_exit]
        return {hook.__name__: hook for hook in hooks}

    def on_starting(self, server: Arbiter) -> None:
        """Run the start-up checks, and exit with one line if one fails."""
        with preflight.exit_on_error():
            self._settings = Settings.from_env()  # now with the variables of gunicorn's --env
            preflight.check(self._settings, gunicorn_adapter.configured_addresses(server),
                            server.cfg.workers)

    def when_ready(self, server: Arbiter) -> None:
        """Check the sockets, which systemd may have opened, and log where the server is."""
        with preflight.exit_on_error():
            preflight.check_addresses(self._settings, _open_addresses(server))
        places = ", ".join(map(str, gunicorn_adapter.listeners(server)))
        server.log.info("xcom-server answers at %s/api/v1 and /api/v2 (page: %s/api/v2/ui/)",
                        places, places)
        self._drain_on_sigterm(server)

    def on_reload(self, server: Arbiter) -> None:
        """Check the sockets before new workers start, since a reload may open other ones."""
        try:
            self._settings = Settings.from_env()
            preflight.check_addresses(self._settings, _open_addresses(server))
        except (SettingsError, InsecureBind) as error:
            gunicorn_adapter.halt(f"xcom-server: {error}")

    def pre_fork(self, server: Arbiter, worker: Worker) -> None:
        """Keep the garbage collector off what workers share: it would write to all of it."""
        gc.freeze()

    def post_fork(self, server: Arbiter, worker: Worker) -> None:
        """Start a failed replacement again; a broken users file must not stop the other workers."""
        gunicorn_adapter.survive_failed_replacement(worker)

    def post_worker_init(self, worker: Worker) -> None:
        """Leave Ctrl-C to the master.

        A terminal sends it to workers too, and a gthread worker that gets two signals hangs until
        the master kills it (seen with gunicorn 27.0.1).
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def pre_request(self, worker: Worker, request: Any) -> None:
        """Close connections after their response while the server drains."""
        if draining.is_draining():
            gunicorn_adapter.close_after_response(request)

    def child_exit(self, server: Arbiter, worker: Worker) -> None:
        """Clean up after a worker that has exited."""
        release_slot(worker)
        multiproc_dir.mark_process_dead(worker.pid)

    def _drain_on_sigterm(self, server: Arbiter) -> None:
        """On SIGTERM, let /ready fail for `drain_seconds` before the server stops.

        A second SIGTERM stops the server at once.
        """
        master, seconds = os.getpid(), self._settings.drain_seconds

        def drain(number: int, frame: Any) -> None:
            if os.getpid() != master:
                os._exit(0)  # a worker that was just forked and has no signal handlers yet
            if draining.is_draining() or not seconds:
                gunicorn_adapter.request_stop(server)
            draining.begin()
            signal.alarm(seconds)

        signal.signal(signal.SIGTERM, drain)
        signal.signal(signal.SIGALRM, lambda number, frame: gunicorn_adapter.request_stop(server))


def _open_addresses(server: Arbiter) -> list[Any]:
    return [listener.getsockname() for listener in gunicorn_adapter.listeners(server)]
