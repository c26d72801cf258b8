"""How gunicorn serves: read by gunicorn itself, which takes its settings from the names here."""

import signal
import sys

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from app.settings import Settings, SettingsError
from app.storage import schema
from app.storage.engine import DatabaseUnusable, is_in_memory, opened

try:
    _settings = Settings.from_env()
except SettingsError as error:
    sys.exit(f"xcom-server: {error}")

bind = _settings.bind
workers = _settings.workers
worker_class = "gthread"
threads = _settings.threads
limit_request_line = 8190  # gunicorn's most: a key of 512 characters is 6 KB percent-encoded
control_socket_disable = True  # nobody administers this server over a socket in a home folder


def on_starting(server: Arbiter) -> None:
    """Refuse, in one line and before any worker starts, what cannot work."""
    url = _settings.database_url
    try:
        with opened(url) as engine:  # and closed: a connection must not cross the fork
            if is_in_memory(url) and server.cfg.workers > 1:
                raise DatabaseUnusable(
                    f"{url} is a database in memory, which each of the {server.cfg.workers}"
                    " workers would have for itself. Run one worker (--workers 1), or store in"
                    " a file.")
            schema.prepare(engine)
    except (DatabaseUnusable, schema.SchemaMismatch) as error:
        sys.exit(f"xcom-server: {error}")


def post_worker_init(worker: Worker) -> None:
    """Leave Ctrl-C to the master, which tells its workers.

    A terminal sends it to both, and a gthread worker that is told twice hangs until the master
    kills it (seen with gunicorn 27.0.1).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def when_ready(server: Arbiter) -> None:
    """Say where the server is."""
    places = ", ".join(str(listener) for listener in server.LISTENERS)
    server.log.info("xcom-server answers at %s/api/v1 (page: %s/api/v1/ui/)", places, places)
