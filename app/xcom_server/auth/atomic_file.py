"""Atomic writes of files, which are created with mode 0600."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def create(path: Path, text: str) -> None:
    """Create a file with this text unless it exists.  Raises OSError."""
    with _temporary_file(path, text) as new, suppress(FileExistsError):
        os.link(new, path)  # unlike a rename, a link never replaces a file


def replace(path: Path, text: str) -> None:
    """Create or replace a file, keeping its owner, group and mode.  Raises OSError."""
    path = path.resolve()  # keep a symbolic link to the file
    with _temporary_file(path, text) as new:
        if path.exists():
            status = path.stat()
            os.chmod(new, status.st_mode & 0o660)  # other users never get access
            with suppress(PermissionError):
                os.chown(new, status.st_uid, status.st_gid)
        os.replace(new, path)


@contextmanager
def _temporary_file(path: Path, text: str) -> Iterator[str]:
    """Write the text to a new file beside `path`, flush it to disk, and yield its name."""
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # of mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        yield new
    finally:
        with suppress(FileNotFoundError):  # `replace` has renamed it
            os.unlink(new)
