"""Checks before the first worker starts; if one fails, the server exits with a one-line error."""

import errno
import logging
import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from xcom_server.auth.environment_users import open_users
from xcom_server.auth.tokens import load_or_create_key
from xcom_server.errors import DatabaseUnusable, OperatorError, Unavailable
from xcom_server.settings import Settings
from xcom_server.storage.opening import (
    Access,
    connected_backend,
    prepare_emulator,
)
from xcom_server.storage.sql import schema

ADDRESS_WAIT_SECONDS = 2  # how long to wait for an address in use
_log = logging.getLogger(__name__)

_WITH_USERS = "add users (xcom-server user add NAME --role ROLE) and set XCOM_AUTH=users"
_ALTERNATIVES = {
    "none": _WITH_USERS,
    "any": f"set XCOM_EMULATOR=true and XCOM_EMULATOR_TOKEN (for tests), or {_WITH_USERS}",
}


class InsecureBind(OperatorError):
    """The server would be reachable from other machines while every client is an admin."""


class UnsupportedVariable(OperatorError):
    """The environment has a variable that only gunicorn itself would read."""


class CannotListen(OperatorError):
    """An address cannot be bound; the message names it and the reason."""


def check(settings: Settings, addresses: Iterable[Any], workers: int) -> None:
    """Check the environment, the addresses, the users file, the token key and the database.

    Creates a missing token key, and the tables in an empty SQLite file.  Raises an OperatorError
    for the first check that fails.
    """
    _check_script_name(os.environ.get("SCRIPT_NAME", ""))
    _check_allowed_ips(os.environ.get("FORWARDED_ALLOW_IPS", ""), settings)
    _check_emulator_token(settings)
    check_addresses(settings, addresses)
    if settings.auth == "users":
        _check_users(settings)
    if settings.auth == "any":  # workers that are forked later inherit a temporary key
        load_or_create_key(Path(settings.token_key_file), may_be_temporary=True)
    url = settings.database_url
    access: Access = "create" if settings.create_database else "write"
    with connected_backend(
        url, access
    ) as backend:  # closed before workers could inherit a connection
        if backend.is_in_memory and workers > 1:
            raise DatabaseUnusable(
                f"{url} is an in-memory database, and each of the {workers} workers would have a"
                " separate one. Run one worker (--workers 1), or use a database file."
            )
        if backend.is_in_memory and _has_seed_files(settings):
            raise DatabaseUnusable(
                f"XCOM_SEED cannot be loaded into {url}, because each process has its own in-memory"
                " database. Use a database file."
            )
        schema.ensure_current(backend, create=settings.create_database)
        is_in_memory = backend.is_in_memory
    if settings.emulator and not is_in_memory:
        _check_emulator(url)


def _has_seed_files(settings: Settings) -> bool:
    """Return whether the setting `seed` is more than an empty folder, as it is in the image."""
    if not settings.seed:
        return False
    from xcom_server.server import seeding  # which no other server needs

    return bool(seeding.files(settings.seed))


def _check_emulator(url: str) -> None:
    """Create the tables of the control plane, and log what an earlier run has left there."""
    from xcom_server.emulator import shifts  # which no other server needs

    try:
        control = prepare_emulator(url)
    except Unavailable as error:
        raise DatabaseUnusable(
            f"the tables of the control plane cannot be used: {error.reason}"
        ) from None
    if left := [*filter(None, [shifts.in_words(control.clock), _number_of(control.faults)])]:
        _log.warning(
            "The control plane has a state of an earlier run: %s. A reset removes it.",
            " and ".join(left),
        )


def _number_of(faults: Sequence[Any]) -> str:
    """Return how many faults there are in words, empty for none."""
    if not faults:
        return ""
    return "there is a fault" if len(faults) == 1 else f"there are {len(faults)} faults"


def _check_users(settings: Settings) -> None:
    """Check the users and the token key, which workers that are forked later inherit."""
    users = open_users(settings.users, settings.users_file).users()
    load_or_create_key(Path(settings.token_key_file), may_be_temporary=bool(settings.users))
    if settings.users:
        _log.info(
            "The server requires credentials. The users (%d) are those in XCOM_USERS, which is for"
            " tests; the users file is not read.",
            len(users),
        )


def _check_script_name(text: str) -> None:
    """Raise UnsupportedVariable for a base path for which gunicorn would return 500s."""
    if text:
        raise UnsupportedVariable(
            "the variable SCRIPT_NAME is not supported. Unset it, and set XCOM_BASE_PATH to the"
            " base path, such as /airflow."
        )


def _check_allowed_ips(text: str, settings: Settings) -> None:
    """Log a warning for gunicorn's list of proxies, unless the setting has replaced it."""
    if text and not settings.trusted_proxies:
        _log.warning(
            "The variable FORWARDED_ALLOW_IPS has no effect, so the headers X-Forwarded-… are"
            " ignored. Set XCOM_TRUSTED_PROXIES to the addresses of the proxies."
        )


def _check_emulator_token(settings: Settings) -> None:
    """Log a warning for the token of a control plane that is off."""
    if settings.emulator_token and not settings.emulator:
        _log.warning(
            "XCOM_EMULATOR_TOKEN has no effect, because the control plane is off."
            " Set XCOM_EMULATOR=true to have it at /_emulator/."
        )


def check_addresses(settings: Settings, addresses: Iterable[Any]) -> None:
    """Raise InsecureBind for an address that is not loopback if other machines must not use it.

    An address is a (host, port, ...) tuple, the file descriptor of a socket, or a path.
    """
    reason = _reason_for_loopback(settings)
    for given in addresses:
        address = _socket_address(given) if isinstance(given, int) else given
        if reason and not _is_loopback(address):
            raise InsecureBind(f"refusing to listen on {_shown(address)}: {reason}")


def _reason_for_loopback(settings: Settings) -> str:
    """Return why only loopback addresses are allowed, and what to do; empty if all are."""
    if settings.emulator and not settings.emulator_token:
        return (
            "with --emulator every client may use the control plane, so only loopback addresses are"
            " allowed. Listen on 127.0.0.1, or set XCOM_EMULATOR_TOKEN."
        )
    if settings.auth == "none" or (settings.auth == "any" and not settings.emulator):
        return (
            f"with XCOM_AUTH={settings.auth} every client is an admin, so only loopback addresses"
            f" are allowed. Listen on 127.0.0.1, or {_ALTERNATIVES[settings.auth]}."
        )
    return ""


def check_bindable(addresses: Iterable[Any]) -> None:
    """Raise CannotListen for a (host, port) that cannot be bound, and a socket without a folder.

    gunicorn itself would try for five seconds and log ten lines.  An address in use is tried for
    ADDRESS_WAIT_SECONDS, because the workers of a killed server hold its socket for a second.
    """
    deadline = time.monotonic() + ADDRESS_WAIT_SECONDS
    addresses = [*addresses]
    for path in (each for each in addresses if isinstance(each, str)):
        if not os.path.isdir(os.path.dirname(path) or os.curdir):
            raise CannotListen(f"cannot listen on unix:{path}: its folder does not exist.")
    for host, port in (each for each in addresses if isinstance(each, tuple)):
        while error := _bind_error(host, port):
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise CannotListen(
                    f"cannot listen on {_shown((host, port))}: {error.strerror}."
                    " Choose another address with --bind or XCOM_BIND."
                )
            time.sleep(0.1)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Report an error that an operator can fix in one line on standard error, and exit with 1."""
    try:
        yield
    except OperatorError as error:
        sys.exit(f"xcom-server: {error}")


def _socket_address(descriptor: int) -> Any:
    try:
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as listener:
            return listener.getsockname()
    except OSError as error:
        raise InsecureBind(f"fd://{descriptor} is not a socket: {error.strerror}") from None


def _shown(address: Any) -> str:
    """Return an address as XCOM_BIND has it."""
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind_error(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
        except OverflowError:  # from GUNICORN_CMD_ARGS; XCOM_BIND is checked before
            return OSError(errno.EINVAL, "the port must be 0 to 65535")
    return None


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple) or not address[0]:
        return False  # a path, which other users or containers may access, or all interfaces
    try:
        found = socket.getaddrinfo(address[0], None)
    except OSError:
        return True  # the host has no address, so that binding it fails
    return all(ip_address(str(each[4][0])).is_loopback for each in found)
