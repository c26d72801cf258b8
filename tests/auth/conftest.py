"""Fixtures: a users file and an authenticator, with password hashes that are cheap to check."""

from collections.abc import Callable
from pathlib import Path

import pytest
from xcom_server.auth import passwords
from xcom_server.auth.passwords import PasswordAuthenticator
from xcom_server.auth.users import Role, User, UsersFile, write

from tests.support.passwords import ANNS_HASH, CHEAP, Clock, CountingHasher


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a users file with ann, a viewer of one DAG, and bob, an op of all DAGs."""
    path = tmp_path / "users.json"
    write(
        path,
        {
            "ann": User("ann", Role.VIEWER, ANNS_HASH, frozenset({"etl"})),
            "bob": User("bob", Role.OP, CHEAP.hash("bob's")),
        },
    )
    return path


@pytest.fixture
def users(path: Path) -> UsersFile:
    return UsersFile(path)


@pytest.fixture
def make_authenticator(
    users: UsersFile, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], PasswordAuthenticator]:
    """Return a function that makes an authenticator whose hashes are all cheap to check."""

    def make() -> PasswordAuthenticator:
        with monkeypatch.context() as patch:
            patch.setattr(passwords, "_hasher", CHEAP)  # it hashes a password for unknown users
            return PasswordAuthenticator(users, clock)

    return make


@pytest.fixture
def authenticator(make_authenticator: Callable[[], PasswordAuthenticator]) -> PasswordAuthenticator:
    return make_authenticator()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return a function that returns the number of argon2 runs so far."""
    monkeypatch.setattr(passwords, "_hasher", CountingHasher())
    monkeypatch.setattr(CountingHasher, "runs", 0)
    return lambda: CountingHasher.runs
