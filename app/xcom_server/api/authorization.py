"""Authentication and authorization of requests to the API."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import request
from werkzeug.datastructures import Authorization

from xcom_server.auth.any_user import AnyUsers
from xcom_server.auth.environment_users import open_users
from xcom_server.auth.passwords import PasswordAuthenticator
from xcom_server.auth.tokens import MIN_KEY_BYTES, Tokens, load_or_create_key
from xcom_server.auth.users import Role, User, UsersFile
from xcom_server.errors import Forbidden, Unauthenticated
from xcom_server.observability import request_state
from xcom_server.settings import Settings
from xcom_server.storage.queries import WILDCARD, Condition, Filter

_READING = ("GET", "HEAD", "OPTIONS")
_READING_OPERATIONS = "get_"  # how operationIds of POST requests begin that only list items
_ADMIN = User("Anonymous", Role.ADMIN)


class Access:
    """Authenticates requests with the users and the token key of the settings.

    `is_enforced` is False if every request is treated as an admin's. `tokens` issues Bearer tokens.
    Creating an instance raises InvalidUsers, InvalidUsersFile or InvalidKeyFile if they cannot be
    used.
    """

    is_enforced = True

    def __init__(self, settings: Settings) -> None:
        users = open_users(settings.users, settings.users_file)
        users.users()
        # While passwords are being guessed, a check and a stranger that waits hold two threads.
        self._passwords = PasswordAuthenticator(users, strangers=int(settings.threads > 2))
        self.tokens = Tokens(
            load_or_create_key(
                Path(settings.token_key_file), may_be_temporary=bool(settings.users)
            ),
            users,
            settings.token_lifetime_seconds,
        )

    def authenticate_basic(self) -> User:
        """Return the user of the current request's Basic credentials.

        Raises Unauthenticated if they are missing or wrong, and TooManyAttempts as `login` does.
        """
        credentials = sent_credentials()
        if credentials is None or credentials.type != "basic":
            raise Unauthenticated
        return self.login(credentials.username or "", credentials.password or "")

    def authenticate_bearer(self) -> User:
        """Return the user of the current request's Bearer token.

        Raises Unauthenticated without a token, TokenExpired for an expired one, and InvalidToken
        for any other invalid one.
        """
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated
        return self.tokens.verify(token.strip())

    def login(self, name: str, password: str) -> User:
        """Return the user with this name and password.

        Raises Unauthenticated if either is wrong, and TooManyAttempts if the client's address sent
        too many wrong passwords or if other password checks keep the server busy.
        """
        return self._passwords.authenticate(name, password, request.remote_addr or "")


class OpenAccess(Access):
    """Treats every request as an admin's. It issues tokens, but never checks them."""

    is_enforced = False

    def __init__(self, settings: Settings) -> None:
        self.tokens = Tokens(
            secrets.token_bytes(MIN_KEY_BYTES),
            UsersFile(settings.users_file),
            settings.token_lifetime_seconds,
        )

    def login(self, name: str = "", password: str = "") -> User:
        """Return an admin, whatever the credentials."""
        return _ADMIN

    authenticate_basic = authenticate_bearer = login


class AnyAccess(Access):
    """Accepts any name and password: as Basic credentials in v1, and at `/auth/token` for v2.

    Everything else is refused as `Access` does.  Creating an instance raises InvalidKeyFile.
    """

    def __init__(self, settings: Settings) -> None:
        self._users = AnyUsers()
        self.tokens = Tokens(
            load_or_create_key(Path(settings.token_key_file), may_be_temporary=True),
            self._users,
            settings.token_lifetime_seconds,
        )

    def login(self, name: str, password: str) -> User:
        """Return an admin with this name.

        Raises Unauthenticated for an empty password, and for a name that no user can have.
        """
        user = self._users.users().get(name)
        if user is None or not password:
            raise Unauthenticated
        return user


_BY_SETTING = {"none": OpenAccess, "any": AnyAccess, "users": Access}


def open_access(settings: Settings) -> Access:
    """Return the access that the setting `auth` selects.  Raises what its class raises."""
    return _BY_SETTING[settings.auth](settings)


def authorize(authenticate: Callable[[], User]) -> None:
    """Authenticate the current request and check the user's role and DAGs.

    Stores the user's name and visible DAGs in the request's state. Raises the AccessError of
    `authenticate`, and Forbidden if the role or the DAG is not allowed.
    """
    user = authenticate()
    state = request_state.current()
    state.user_name, state.visible_dag_ids = user.name, user.dag_ids
    allowed = user.role.may_read if only_reads() else user.role.may_write
    dag_id = (request.view_args or {}).get("dag_id", WILDCARD)
    can_see = dag_id == WILDCARD or user.dag_ids is None or dag_id in user.dag_ids
    if not (allowed and can_see):
        raise Forbidden


def sent_credentials() -> Authorization | None:
    """Return the credentials of the current request, None if they are missing or malformed."""
    try:
        return request.authorization
    except ValueError:  # Werkzeug raises it for Base64 with other characters than ASCII
        return None


def visible(*ids: str | None, conditions: tuple[Condition, ...] = (), **equal: Any) -> Filter:
    """Return the filter of a list, of rows whose DAG the current user can access.

    The arguments are those of `Filter.of`.
    """
    dag_ids = request_state.current().visible_dag_ids
    return Filter.of(*ids, dag_ids=dag_ids, conditions=conditions, **equal)


def only_reads() -> bool:
    """Return whether the current request changes nothing; a list with a long filter is a POST."""
    operation_id = (request.endpoint or "").rpartition(".")[2]
    return request.method in _READING or operation_id.startswith(_READING_OPERATIONS)
