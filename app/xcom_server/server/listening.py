"""Where the server listens, for the program that started it: `XCOM_PORT_FILE`, `XCOM_PRINT_URL`."""

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xcom_server.auth import atomic_file
from xcom_server.errors import OperatorError
from xcom_server.settings import Settings

_WILDCARDS = ("://0.0.0.0:", "://[::]:")  # no client can use them, but each includes 127.0.0.1


class NotPublished(OperatorError):
    """The port or the URL cannot be written; the message contains the reason."""


def remove_old_port_file(settings: Settings) -> None:
    """Remove the file of a server that was killed; its port may belong to another program.

    Raises NotPublished.
    """
    if settings.port_file:
        with _one_line(settings.port_file):
            Path(settings.port_file).unlink(missing_ok=True)


def publish(settings: Settings, listeners: Sequence[Any]) -> None:
    """Write the port and the URL of the first listener, as far as the settings require it.

    This process removes the file at exit, unless another server has replaced it.  Raises
    NotPublished, also if the listener is a Unix socket and therefore has no port.
    """
    listener, *_ = listeners
    if settings.port_file:
        address = listener.getsockname()
        if not isinstance(address, tuple):
            raise NotPublished(f"XCOM_PORT_FILE: {listener} has no port. Listen on HOST:PORT.")
        with _one_line(settings.port_file):
            _write(Path(settings.port_file).absolute(), address[1])
    if settings.print_url:
        with _one_line("standard output"):
            print(url(listener) + settings.base_path, flush=True)


def url(listener: Any) -> str:
    """Return the URL of a listener for a client on this host, such as `http://127.0.0.1:8080`."""
    text = str(listener)
    for wildcard in _WILDCARDS:
        text = text.replace(wildcard, "://127.0.0.1:")
    return text


def _write(path: Path, port: int) -> None:
    """Write the port to a file, and remove the file when this process exits.  Raises OSError."""
    atomic_file.replace(path, f"{port}\n")
    written, process = _identity(path), os.getpid()

    @atexit.register
    def remove() -> None:
        # A forked worker inherits the exit handler.
        with suppress(OSError):
            if os.getpid() == process and _identity(path) == written:
                path.unlink()


def _identity(path: Path) -> tuple[int, int]:
    """Return what distinguishes a file from one that replaces it, which may get its inode."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


@contextmanager
def _one_line(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotPublished(f"cannot write to {where}: {error.strerror}.") from None
