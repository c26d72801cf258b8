"""Users: their roles, which are Airflow's, and the file that stores them.

The file is JSON. Its object `users` maps a name to `{"role": "viewer", "password": "$argon2id$…"}`,
with an optional `"dags": ["etl"]`: the only DAGs that the user can see.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from xcom_server.auth import atomic_file
from xcom_server.errors import OperatorError
from xcom_server.formats import strict_json

MAX_NAME_LENGTH = 250  # the longest name of a user, in characters


class Role(StrEnum):
    """What a user may do with entries; each role includes the rights of those before it."""

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
    """A user; `dag_ids` are the only DAGs that they can see, None stands for all."""

    name: str
    role: Role
    password_hash: str = field(default="", repr=False)
    dag_ids: frozenset[str] | None = None


Users = Mapping[str, User]  # by name
_log = logging.getLogger(__name__)


class InvalidUsersFile(OperatorError):
    """The users file cannot be used; the text says where and why."""


class UsersFile:
    """The users in a file, which is read again whenever it changes."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._seen: tuple[tuple[int, ...], Users] = (), {}  # one tuple: threads see both change

    def users(self) -> Users:
        """Return the users.

        If the file goes missing or becomes invalid later, the users that were read last stay, and
        the error is logged once. Raises InvalidUsersFile if no users were read before.
        """
        last_stamp, users = self._seen
        stamp = _stamp(self._path)
        if stamp != last_stamp:
            try:
                users = read(self._path)
                if last_stamp:
                    _log.info("the users file %s was read again.", self._path)
            except InvalidUsersFile as error:
                if not last_stamp:
                    raise
                _log.error("%s; its last users stay.", error)
            self._seen = stamp, users
        return users


def read(path: Path) -> Users:
    """Return the users of a file. Raises InvalidUsersFile."""
    with _naming_file(path):
        return _parse(path.read_text(encoding="utf-8"))


def write(path: Path, users: Users) -> None:
    """Write a users file, whole or not at all; only its owner can read a new one.

    Raises InvalidUsersFile, also for users that read() would refuse.
    """
    text = json.dumps({"users": {name: _fields(user) for name, user in users.items()}}, indent=2)
    with _naming_file(path.resolve()):
        _parse(text)
        atomic_file.replace(path, text + "\n")


def validate_username(name: str) -> None:
    """Raise InvalidUsersFile for a name that is not printable or does not fit Basic credentials."""
    if not 1 <= len(name) <= MAX_NAME_LENGTH or ":" in name or not name.isprintable():
        raise InvalidUsersFile(
            f"a user's name is 1 to {MAX_NAME_LENGTH} printable characters without a colon,"
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
            ". Make it with: xcom-server user add NAME --role ROLE"
            if isinstance(error, FileNotFoundError)
            else ""
        )
        raise InvalidUsersFile(f"the users file {path} cannot be used: {reason}{hint}") from None


def _stamp(path: Path) -> tuple[int, ...]:
    """Return numbers that change whenever the file does, or the errno if it has no status."""
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
        raise InvalidUsersFile("no object with the member `users`")
    return {name: _user(name, fields) for name, fields in users.items()}


def _user(name: str, fields: Any) -> User:
    validate_username(name)
    if not isinstance(fields, dict) or not fields.keys() <= {"role", "password", "dags"}:
        raise InvalidUsersFile(f"user {name!r}: not an object of role, password and dags")
    role, password, dags = (fields.get(each) for each in ("role", "password", "dags"))
    if role not in list(Role):
        raise InvalidUsersFile(f"user {name!r}: role is not one of {', '.join(Role)}")
    if not isinstance(password, str) or not password.startswith("$argon2"):
        raise InvalidUsersFile(
            f"user {name!r}: password is not an argon2 hash; make it with `xcom-server user add`"
        )
    if not isinstance(dags, list | None) or not all(
        isinstance(each, str) and each not in ("", "~") for each in dags or ()
    ):
        raise InvalidUsersFile(f"user {name!r}: dags is not a list of DAG ids")
    return User(name, Role(role), password, None if dags is None else frozenset(dags))


def _fields(user: User) -> dict[str, Any]:
    dags = {} if user.dag_ids is None else {"dags": sorted(user.dag_ids)}
    return {"role": str(user.role), "password": user.password_hash, **dags}
