"""Users: their roles as Airflow has them, and the file that they are kept in.

The file is JSON: an object `users` of name -> `{"role": "viewer", "password": "$argon2id$…"}`, its
password a hash; `"dags": ["etl"]` beside it says which DAGs exist for a user, else all do.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from xcom_server.formats import strict_json

MAX_NAME_LENGTH = 250
"""The longest name of a user, in characters."""


class Role(StrEnum):
    """What a user may do with entries; each role may what those before it may."""

    PUBLIC = "public"
    VIEWER = "viewer"
    USER = "user"
    OP = "op"
    ADMIN = "admin"

    @property
    def may_read(self) -> bool:
        """Say whether the role may read entries."""
        return self is not Role.PUBLIC

    @property
    def may_write(self) -> bool:
        """Say whether the role may create, change and delete entries."""
        return self in (Role.USER, Role.OP, Role.ADMIN)


@dataclass(frozen=True)
class User:
    """Somebody with a role; `dag_ids` are the DAGs that exist for them, None stands for all."""

    name: str
    role: Role
    password_hash: str = field(default="", repr=False)
    dag_ids: frozenset[str] | None = None


Users = Mapping[str, User]
"""Name -> user."""

Fingerprint = tuple[int, ...]
"""What changes with a file, or the number of the error for one that cannot be looked at."""

_log = logging.getLogger(__name__)


class InvalidUsersFile(ValueError):
    """The users file cannot be used; the text says where and why."""


class UsersFile:
    """The users in a file, read again whenever it changes."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._seen: Fingerprint = ()
        self._refused: Fingerprint | None = None
        self._users: Users = {}

    def users(self) -> Users:
        """Return the users.

        A file that went missing or bad while the server runs leaves those it held last, and a
        line in the log. Raises InvalidUsersFile where nothing was read before.
        """
        seen = _fingerprint(self._path)
        if seen not in (self._seen, self._refused):
            try:
                self._users = read(self._path)
                if self._seen:
                    _log.info("the users file %s was read again.", self._path)
                self._seen, self._refused = seen, None
            except InvalidUsersFile as error:
                if not self._seen:
                    raise
                self._refused = seen
                _log.error("%s; its last users stay.", error)
        return self._users


def read(path: Path) -> Users:
    """Return the users of a file; raises InvalidUsersFile."""
    with _named(path):
        return _users(path.read_text(encoding="utf-8"))


def write(path: Path, users: Users) -> None:
    """Write a users file, whole or not at all.

    A new one is its owner's alone to read; one that there is keeps its owner and group. Raises
    InvalidUsersFile for users that could not be read again.
    """
    path = path.resolve()  # a link to the file stays one
    text = json.dumps({"users": {name: _fields(user) for name, user in users.items()}}, indent=2)
    with _named(path):
        _users(text)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False,
                                         prefix=f".{path.name}.") as new:  # made with mode 0600
            new.write(text + "\n")
            new.flush()
            os.fsync(new.fileno())
        _take_over(path, new.name)
        os.replace(new.name, path)


def validate_username(name: str) -> None:
    """Raise InvalidUsersFile for a name that Basic credentials cannot carry, or nobody can type."""
    if not 1 <= len(name) <= MAX_NAME_LENGTH or ":" in name or not name.isprintable():
        raise InvalidUsersFile(f"a user's name is 1 to {MAX_NAME_LENGTH} printable characters without a"
                       f" colon, not {name[:MAX_NAME_LENGTH]!r}")


def _take_over(path: Path, new: str) -> None:
    """Give a new file the mode of the one it replaces, and its owner where that is allowed.

    Nobody but the owner and the group gets to read it, whatever the mode was.
    """
    if path.exists():
        status = path.stat()
        os.chmod(new, status.st_mode & 0o660)
        with suppress(PermissionError):
            os.chown(new, status.st_uid, status.st_gid)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what is wrong with a file into InvalidUsersFile that name it."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = (". Make it with: xcom-server user add NAME --role ROLE"
                if isinstance(error, FileNotFoundError) else "")
        raise InvalidUsersFile(f"the users file {path} cannot be used: {reason}{hint}") from None


def _fingerprint(path: Path) -> Fingerprint:
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _users(text: str) -> Users:
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
        raise InvalidUsersFile(f"user {name!r}: no object of role, password and dags")
    if not isinstance(fields.get("role"), str) or fields["role"] not in set(Role):
        raise InvalidUsersFile(f"user {name!r}: role is none of {', '.join(Role)}")
    password, dags = fields.get("password"), fields.get("dags")
    if not isinstance(password, str) or not password.startswith("$argon2"):
        raise InvalidUsersFile(f"user {name!r}: password is no argon2 hash; make it with `xcom-server"
                       " user add`")
    if dags is not None and not (isinstance(dags, list) and all(map(_is_dag_id, dags))):
        raise InvalidUsersFile(f"user {name!r}: dags is no list of DAG ids")
    return User(name, Role(fields["role"]), password, None if dags is None else frozenset(dags))


def _is_dag_id(given: Any) -> bool:
    return isinstance(given, str) and given not in ("", "~")


def _fields(user: User) -> dict[str, Any]:
    dags = {} if user.dag_ids is None else {"dags": sorted(user.dag_ids)}
    return {"role": str(user.role), "password": user.password_hash, **dags}
