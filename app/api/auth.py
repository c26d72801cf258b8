"""Who is asking, and whether they may: before an operation that its document says needs it."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from flask import g, request

from app.access.passwords import Passwords
from app.access.tokens import MIN_KEY_BYTES, Tokens, read_or_make_key
from app.access.users import Role, User, UsersFile
from app.errors import Forbidden, Unauthenticated
from app.settings import Settings
from app.storage.entry import ANY

Identify = Callable[[], User]
"""Tells who sent the current request; raises AccessError."""

_READING = ("GET", "HEAD", "OPTIONS")


class Access(Protocol):
    """How to tell who asks, and `tokens` to give them; `asks` is false where nobody is asked."""

    asks: bool
    tokens: Tokens

    def by_password(self) -> User:
        """Return whom the Basic credentials of the current request are of."""

    def by_token(self) -> User:
        """Return whom the Bearer token of the current request is for."""

    def login(self, name: str, password: str) -> User:
        """Return whom a name and a password are of."""


class OfUsers:
    """Access for the users in a file; each method but `__init__` raises AccessError.

    Raises BadUsers and BadKey where the files that the settings name cannot be used.
    """

    asks = True

    def __init__(self, settings: Settings) -> None:
        users = UsersFile(settings.users_file)
        users.users()
        self._passwords = Passwords(users)
        self.tokens = Tokens(read_or_make_key(Path(settings.token_key_file)), users,
                             settings.token_seconds)

    def by_password(self) -> User:
        """Return whom the Basic credentials of the current request are of."""
        given = request.authorization
        if given is None or given.type != "basic":
            raise Unauthenticated
        return self.login(given.username or "", given.password or "")

    def by_token(self) -> User:
        """Return whom the Bearer token of the current request is for."""
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated
        return self.tokens.user(token.strip())

    def login(self, name: str, password: str) -> User:
        """Return whom a name and a password are of."""
        return self._passwords.user(name, password, request.remote_addr or "")


class OfAnybody:
    """Access for everyone, as an admin; tokens are given, and not looked at."""

    asks = False
    _anybody = User("Anonymous", Role.ADMIN)

    def __init__(self, settings: Settings) -> None:
        self.tokens = Tokens(secrets.token_bytes(MIN_KEY_BYTES), UsersFile(settings.users_file),
                             settings.token_seconds)

    def by_password(self) -> User:
        """Return an admin."""
        return self._anybody

    def by_token(self) -> User:
        """Return an admin."""
        return self._anybody

    def login(self, name: str = "", password: str = "") -> User:
        """Return an admin."""
        return self._anybody


def access(settings: Settings) -> Access:
    """Return the access that the settings ask for; raises BadUsers and BadKey."""
    return OfUsers(settings) if settings.auth == "users" else OfAnybody(settings)


def guard(identify: Identify) -> Callable[[], None]:
    """Return a check of the current request: is it from somebody, and may they do that?

    The check raises AccessError, or leaves the user in `flask.g`.
    """
    def check() -> None:
        g.user = user = identify()
        may = user.role.may_read if request.method in _READING else user.role.may_write
        dag_id = (request.view_args or {}).get("dag_id", ANY)
        if not may or (dag_id != ANY and not _exists_for(user, dag_id)):
            raise Forbidden
    return check


def dags_to_show() -> frozenset[str] | None:
    """Return the DAGs that exist for the user whom the guard let in; None stands for all."""
    user: User = g.user
    return user.dag_ids


def _exists_for(user: User, dag_id: str) -> bool:
    return user.dag_ids is None or dag_id in user.dag_ids
