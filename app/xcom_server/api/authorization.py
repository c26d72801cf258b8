"""Who is asking, and whether they may: before an operation that its document says needs it."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from flask import g, request

from xcom_server.auth.passwords import PasswordAuthenticator
from xcom_server.auth.tokens import MIN_KEY_BYTES, Tokens, load_or_create_key
from xcom_server.auth.users import Role, User, UsersFile
from xcom_server.errors import Forbidden, Unauthenticated
from xcom_server.settings import Settings
from xcom_server.storage.models import WILDCARD

Identify = Callable[[], User]
"""Tells who sent the current request; raises AccessError."""

_READING = ("GET", "HEAD", "OPTIONS")


class Access(Protocol):
    """How to tell who asks, and `tokens` to give them; `is_enforced` is false where nobody is asked."""

    is_enforced: bool
    tokens: Tokens

    def authenticate_basic(self) -> User:
        """Return whom the Basic credentials of the current request are of."""

    def authenticate_bearer(self) -> User:
        """Return whom the Bearer token of the current request is for."""

    def login(self, name: str, password: str) -> User:
        """Return whom a name and a password are of."""


class UserAccess:
    """Access for the users in a file; each method but `__init__` raises AccessError.

    Raises InvalidUsersFile and InvalidKeyFile where the files that the settings name cannot be used.
    """

    is_enforced = True

    def __init__(self, settings: Settings) -> None:
        users = UsersFile(settings.users_file)
        users.users()
        self._passwords = PasswordAuthenticator(users)
        self.tokens = Tokens(load_or_create_key(Path(settings.token_key_file)), users,
                             settings.token_lifetime_seconds)

    def authenticate_basic(self) -> User:
        """Return whom the Basic credentials of the current request are of."""
        given = request.authorization
        if given is None or given.type != "basic":
            raise Unauthenticated
        return self.login(given.username or "", given.password or "")

    def authenticate_bearer(self) -> User:
        """Return whom the Bearer token of the current request is for."""
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated
        return self.tokens.verify(token.strip())

    def login(self, name: str, password: str) -> User:
        """Return whom a name and a password are of."""
        return self._passwords.authenticate(name, password, request.remote_addr or "")


class OpenAccess:
    """Access for everyone, as an admin; tokens are given, and not looked at."""

    is_enforced = False
    _anybody = User("Anonymous", Role.ADMIN)

    def __init__(self, settings: Settings) -> None:
        self.tokens = Tokens(secrets.token_bytes(MIN_KEY_BYTES), UsersFile(settings.users_file),
                             settings.token_lifetime_seconds)

    def authenticate_basic(self) -> User:
        """Return an admin."""
        return self._anybody

    def authenticate_bearer(self) -> User:
        """Return an admin."""
        return self._anybody

    def login(self, name: str = "", password: str = "") -> User:
        """Return an admin."""
        return self._anybody


def access(settings: Settings) -> Access:
    """Return the access that the settings ask for; raises InvalidUsersFile and InvalidKeyFile."""
    return UserAccess(settings) if settings.auth == "users" else OpenAccess(settings)


def guard(identify: Identify) -> Callable[[], None]:
    """Return a check of the current request: is it from somebody, and may they do that?

    The check raises AccessError, or leaves the user in `flask.g`.
    """
    def check() -> None:
        g.user = user = identify()
        may = user.role.may_read if request.method in _READING else user.role.may_write
        dag_id = (request.view_args or {}).get("dag_id", WILDCARD)
        if not may or (dag_id != WILDCARD and not _exists_for(user, dag_id)):
            raise Forbidden
    return check


def visible_dag_ids() -> frozenset[str] | None:
    """Return the DAGs that exist for the user whom the guard let in; None stands for all."""
    user: User = g.user
    return user.dag_ids


def _exists_for(user: User, dag_id: str) -> bool:
    return user.dag_ids is None or dag_id in user.dag_ids
