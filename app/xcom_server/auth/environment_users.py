"""Users in the setting XCOM_USERS, which is for tests: `ann:secret:op,bob:secret:viewer`.

A role follows the last colon of a user, so a password may contain colons, but no comma.  No error
message contains a part of the text, because any part could belong to a password.
"""

from pathlib import Path

from xcom_server.auth.passwords import MAX_PASSWORD_BYTES, hash_plainly
from xcom_server.auth.users import (
    InvalidUsersFile,
    Role,
    User,
    Users,
    UsersFile,
    UserSource,
    validate_username,
)
from xcom_server.errors import OperatorError

_FORM = f"NAME:PASSWORD:ROLE, where ROLE is {', '.join(Role)}; commas separate users"


class InvalidUsers(OperatorError):
    """XCOM_USERS cannot be used; the message has the position of the user and the reason."""


class EnvironmentUsers:
    """The users in the text of XCOM_USERS.  Raises InvalidUsers."""

    is_plain = True

    def __init__(self, text: str) -> None:
        self._users: dict[str, User] = {}
        for number, part in enumerate(text.split(","), 1):
            user = _user(number, part.strip())
            if user.name in self._users:
                raise InvalidUsers(f"XCOM_USERS: user {number} has the name of another user")
            self._users[user.name] = user

    def users(self) -> Users:
        """Return the users by name."""
        return self._users


def open_users(text: str, path: str | Path) -> UserSource:
    """Return the users in XCOM_USERS, or those in the users file if the text is empty."""
    return EnvironmentUsers(text) if text else UsersFile(path)


def _user(number: int, text: str) -> User:
    name, _, rest = text.partition(":")
    password, colon, role = rest.rpartition(":")
    if not colon or role not in list(Role):
        raise InvalidUsers(f"XCOM_USERS: user {number} must be {_FORM}")
    if not 1 <= len(password.encode()) <= MAX_PASSWORD_BYTES:
        raise InvalidUsers(
            f"XCOM_USERS: the password of user {number} must have 1 to {MAX_PASSWORD_BYTES} bytes"
        )
    try:
        validate_username(name)
    except InvalidUsersFile:
        raise InvalidUsers(f"XCOM_USERS: the name of user {number} is invalid") from None
    return User(name, Role(role), hash_plainly(password))
