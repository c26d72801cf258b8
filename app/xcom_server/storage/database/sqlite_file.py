"""The file of an SQLite database: its path, its creation, and the URI that opens it."""

import logging
import os
import stat
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from sqlalchemy import URL

from xcom_server.errors import DatabaseUnusable

State = tuple[int, ...]


def path_of(url: URL) -> str:
    """Return the real path of the database file, or "" for a database in memory.

    The URL may contain a path or a `file:` URI.
    """
    name = url.database or ""
    if ":memory:" in name or "mode=memory" in name or url.query.get("mode") == "memory":
        return ""
    if name.startswith("file:") and "uri" in url.query:
        name = unquote(urlsplit(name).path)
    return name and os.path.realpath(name)


def create_missing(path: str) -> None:
    """Create an empty file that only its owner can use, unless it exists.

    SQLite treats it as a database without tables, and gives its mode to the files beside it.
    Without its folder, opening it fails.  Raises DatabaseUnusable for another error.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except (FileExistsError, FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        reason = f"{path}: the file cannot be created: {error.strerror}"
        raise DatabaseUnusable(f"XCOM_DATABASE_URL cannot be used: {reason}") from None


def existing(path: str, address: str) -> str:
    """Return the URI that opens an existing file to read and write, and never creates it.

    `address` is a path or a URI, whose parameters are kept; with `mode=ro` it stays read-only.
    """
    parameters = _parameters(address)
    if parameters.get("mode") != "ro":
        parameters["mode"] = "rw"
    return _uri(path, parameters)


def unchanged(path: str, address: str) -> str:
    """Return the URI that reads a file, and neither changes it nor creates one beside it.

    Without both a write-ahead log and its index the file is read without locks, because SQLite
    would create them.  Then the caller has to compare `state` before and after.  Raises
    DatabaseUnusable if there are changes that only a writer can recover.
    """
    parameters = {**_parameters(address), "mode": "ro"}
    log, journal, index = (f"{path}-{suffix}" for suffix in ("wal", "journal", "shm"))
    if os.path.exists(log) and os.path.exists(index):
        return _uri(path, parameters)
    for leftover in (log, journal):
        if os.path.exists(leftover) and os.path.getsize(leftover):
            raise DatabaseUnusable(
                f"{leftover} has changes that are not in the database yet."
                " Run: xcom-server db upgrade"
            )
    return _uri(path, {**parameters, "immutable": "1"})


def identity(path: str) -> State:
    """Return what a file has in common only with itself: its device and inode; () if missing."""
    return state(path)[:2]


def state(path: str) -> State:
    """Return what changes if a file is written to, removed or replaced; () if it is missing."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _parameters(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query)) if address.startswith("file:") else {}


def _uri(path: str, parameters: dict[str, str]) -> str:
    return f"file:{quote(path)}?{urlencode(parameters)}"


def exposures(path: str) -> list[tuple[int, str]]:
    """Return who else can use a file or replace it: levels of logging, and a sentence each."""
    try:
        file, folder = os.stat(path), os.stat(os.path.dirname(path))
    except OSError:
        return []
    found = []
    mode, remedy = f"(mode {file.st_mode & 0o777:04o})", f"Run: chmod o-rwx {path}*"
    if file.st_mode & stat.S_IWOTH:
        found.append((logging.ERROR, f"Every local user can change {path} {mode}. {remedy}"))
    elif file.st_mode & stat.S_IROTH:
        found.append(
            (logging.WARNING, f"Every local user can read {path} and block it {mode}. {remedy}")
        )
    if folder.st_mode & stat.S_IWOTH:
        is_sticky = folder.st_mode & stat.S_ISVTX
        if not is_sticky or file.st_uid not in (0, os.geteuid()):
            found.append(
                (
                    logging.ERROR,
                    f"Another user can replace {path}: move it to a folder that"
                    " only its owner can change.",
                )
            )
    return found
