"""Users, their roles (which are Airflow's), and the users file.

The file is a JSON object.  Its member `users` maps each user name to an object such as
`{"role": "viewer", "password": "$argon2id$…"}`; an optional `"dags": ["etl"]` limits the user to
these DAGs.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from xcom_server.auth import atomic_file
from xcom_server.auth.exposure import warn_if_exposed
from xcom_server.errors import OperatorError
from xcom_server.formats import strict_json

MAX_NAME_LENGTH = 250  # of a user name, in characters


class Role(StrEnum):
    """The role of a user; each role includes the permissions of those before it."""

    PUBLIC = "public"
    VIEWER = "viewer"
    USER = "user"
    OP = "op"
    ADMIN = "admin"

    @property
    def may_read(self) -> bool:
        """Whether the role may read entries."""
        return self is not Role.PUBLIC

    @property
    def may_write(self) -> bool:
        """Whether the role may create, change and delete entries."""
        return self in (Role.USER, Role.OP, Role.ADMIN)


@dataclass(frozen=True)
class User:
    """A user; `dag_ids` are the DAGs that the user can access, None for all DAGs."""

    name: str
    role: Role
    password_hash: str = field(default="", repr=False)
    dag_ids: frozenset[str] | None = None


Users = Mapping[str, User]  # by name
_log = logging.getLogger(__name__)


class UserSource(Protocol):
    """Where users come from; `is_plain` is true if their passwords are known as plain text."""

    is_plain: bool

    def users(self) -> Users:
        """Return the current users by name."""


class InvalidUsersFile(OperatorError):
    """The users file cannot be used; the message names the file and the reason."""


class UsersFile:
    """The users in a file, which is read again whenever it changes.  Instances are thread-safe."""

    is_plain = False

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        # The stamp of the file and its users, in one tuple so that threads see matching ones.
        self._seen: tuple[tuple[int, ...], Users] = (), {}

    def users(self) -> Users:
        """Return the users by name.

        If the file is removed or becomes invalid later, the error is logged once, and the users
        that were read last are kept.  A warning is logged if other users of the machine can change
        or read the file.  Raises InvalidUsersFile if the file was never valid.
        """
        last_stamp, users = self._seen
        stamp = _stamp(self._path)
        if stamp != last_stamp:
            try:
                users = read(self._path)
                warn_if_exposed(self._path, "users file")
                if last_stamp:
                    _log.info("Reloaded the users file %s.", self._path)
            except InvalidUsersFile as error:
                if not last_stamp:
                    raise
                _log.error("Keeping the previous users: %s", error)
            self._seen = stamp, users
        return users


def read(path: Path) -> Users:
    """Return the users in a file, by name.  Raises InvalidUsersFile."""
    with _naming_file(path):
        return _parse(path.read_text(encoding="utf-8-sig"))


def write(path: Path, users: Users) -> None:
    """Write a users file atomically; a new file has mode 0600.

    Raises InvalidUsersFile if the file cannot be written or `read` would reject the users.
    """
    text = json.dumps({"users": {name: _fields(user) for name, user in users.items()}}, indent=2)
    with _naming_file(path.resolve()):
        _parse(text)
        atomic_file.replace(path, text + "\n")


def validate_username(name: str) -> None:
    """Raise InvalidUsersFile for a user name that is too long, unprintable or contains a colon.

    Basic credentials end the name at the first colon.
    """
    if not 1 <= len(name) <= MAX_NAME_LENGTH or ":" in name or not name.isprintable():
        raise InvalidUsersFile(
            f"a user name must have 1 to {MAX_NAME_LENGTH} printable characters and no colon,"
            f" not {name[:MAX_NAME_LENGTH]!r}"
        )


@contextmanager
def _naming_file(path: Path) -> Iterator[None]:
    """Turn OSError and ValueError into an InvalidUsersFile that names the file."""
    try:
        yield
    except (OSError, ValueError, InvalidUsersFile) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = (
            ". Create it with: xcom-server user add NAME --role ROLE"
            if isinstance(error, FileNotFoundError)
            else ""
        )
        raise InvalidUsersFile(f"the users file {path} cannot be used: {reason}{hint}") from None


def _stamp(path: Path) -> tuple[int, ...]:
    """Return numbers that change whenever the file does, or the errno if stat() fails."""
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _parse(text: str) -> Users:
    try:
        document = strict_json.loads(text)
    except strict_json.InvalidJson as error:
        raise InvalidUsersFile(f"not JSON: {error}") from None
    users = document.get("users") if isinstance(document, dict) else None
    if not isinstance(users, dict):
        raise InvalidUsersFile("it must be a JSON object with an object `users`")
    return {name: _user(name, fields) for name, fields in users.items()}


def _user(name: str, fields: Any) -> User:
    validate_username(name)
    if not isinstance(fields, dict) or not fields.keys() <= {"role", "password", "dags"}:
        raise InvalidUsersFile(
            f"user {name!r}: must be an object with only role, password and dags"
        )
    role, password, dags = (fields.get(each) for each in ("role", "password", "dags"))
    if role not in list(Role):
        raise InvalidUsersFile(f"user {name!r}: role must be one of {', '.join(Role)}")
    if not isinstance(password, str) or not password.startswith("$argon2"):
        raise InvalidUsersFile(
            f"user {name!r}: password must be an argon2 hash, as `xcom-server user add` writes it"
        )
    if not isinstance(dags, list | None) or not all(
        isinstance(each, str) and each not in ("", "~") for each in dags or ()
    ):
        raise InvalidUsersFile(f"user {name!r}: dags must be a list of DAG ids")
    return User(name, Role(role), password, None if dags is None else frozenset(dags))


def _fields(user: User) -> dict[str, Any]:
    dags = {} if user.dag_ids is None else {"dags": sorted(user.dag_ids)}
    return {"role": str(user.role), "password": user.password_hash, **dags}
