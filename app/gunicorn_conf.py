"""How gunicorn serves: read by gunicorn itself, which takes its settings from the names here."""

import signal
import socket
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from app.access.tokens import BadKey, read_or_make_key
from app.access.users import BadUsers, UsersFile
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
    try:
        settings = Settings.from_env()  # again: gunicorn's own options may have changed them
        url = settings.database_url
        for address in server.cfg.address:
            _refuse_open_door(settings, address)
        if settings.auth == "users":
            UsersFile(settings.users_file).users()
            read_or_make_key(Path(settings.token_key_file))
        with opened(url) as engine:  # and closed: a connection must not cross the fork
            if is_in_memory(url) and server.cfg.workers > 1:
                raise DatabaseUnusable(
                    f"{url} is a database in memory, which each of the {server.cfg.workers}"
                    " workers would have for itself. Run one worker (--workers 1), or store in"
                    " a file.")
            schema.prepare(engine)
    except (SettingsError, OpenDoor, BadUsers, BadKey, DatabaseUnusable,
            schema.SchemaMismatch) as error:
        sys.exit(f"xcom-server: {error}")


class OpenDoor(RuntimeError):
    """Everyone is an admin, and more than this machine could come in."""


def _refuse_open_door(settings: Settings, address: Any) -> None:
    """Raise OpenDoor for an address beyond loopback, where there are no users.

    An address is gunicorn's: a host and a port, the number of an open socket, or a path.
    """
    if isinstance(address, int):
        try:
            with socket.fromfd(address, socket.AF_INET, socket.SOCK_STREAM) as listener:
                address = listener.getsockname()
        except OSError as error:
            raise OpenDoor(f"fd://{address} cannot be listened on: {error.strerror}") from None
    if settings.auth == "none" and not _is_loopback(address):
        place = ":".join(map(str, address[:2])) if isinstance(address, tuple) else address
        raise OpenDoor(
            f"with XCOM_AUTH=none everyone is an admin, which is allowed on loopback alone, not on"
            f" {place}. Listen on 127.0.0.1, or add users (xcom-server user add NAME --role ROLE)"
            " and set XCOM_AUTH=users.")


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):  # a path: who else may reach it, nobody can tell
        return False
    if not address[0]:  # every address there is
        return False
    try:
        found = socket.getaddrinfo(address[0], None)
    except OSError:
        return True  # nobody can listen there; gunicorn says why
    return all(ip_address(str(each[4][0])).is_loopback for each in found)


def post_worker_init(worker: Worker) -> None:
    """Look at the sockets themselves, and leave Ctrl-C to the master, which tells its workers.

    Sockets may be handed over by others, and a reload may open new ones. A terminal sends Ctrl-C
    to both, and a gthread worker that is told twice hangs until the master kills it (seen with
    gunicorn 27.0.1).
    """
    settings = Settings.from_env()
    try:
        for listener in worker.sockets:
            _refuse_open_door(settings, listener.getsockname())
    except OpenDoor as error:
        worker.log.error("xcom-server: %s", error)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)  # which ends the master too
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def when_ready(server: Arbiter) -> None:
    """Say where the server is."""
    places = ", ".join(str(listener) for listener in server.LISTENERS)
    server.log.info("xcom-server answers at %s/api/v1 and /api/v2 (page: %s/api/v2/ui/)", places,
                    places)
