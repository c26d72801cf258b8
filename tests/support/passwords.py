"""Helpers for password tests: a clock, cheap hashes and assertions."""

import pytest
from argon2 import PasswordHasher
from xcom_server.auth.attempts import ATTEMPTS_BEFORE_BACKOFF
from xcom_server.auth.passwords import PasswordAuthenticator
from xcom_server.errors import TooManyAttempts, Unauthenticated

HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ANNS_HASH = CHEAP.hash("ann's", salt=b"salt of ann")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CountingHasher(PasswordHasher):
    """An argon2 hasher that counts its checks."""

    runs = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        """Check a password and count the check."""
        CountingHasher.runs += 1
        return super().verify(hash, password)


def assert_refused(
    authenticator: PasswordAuthenticator,
    name: str = "ann",
    password: str = "wrong",
    address: str = HOME,
) -> None:
    """Assert that a name and a password are rejected without throttling."""
    with pytest.raises(Unauthenticated):
        authenticator.authenticate(name, password, address)


def backoff_seconds(
    authenticator: PasswordAuthenticator,
    name: str = "ann",
    password: str = "wrong",
    address: str = HOME,
) -> int:
    """Assert that an attempt is throttled; return the seconds to wait."""
    with pytest.raises(TooManyAttempts) as error:
        authenticator.authenticate(name, password, address)
    return error.value.seconds


def use_up_attempts(
    authenticator: PasswordAuthenticator, name: str = "ann", address: str = HOME
) -> None:
    """Send as many wrong passwords as are allowed before throttling."""
    for _ in range(ATTEMPTS_BEFORE_BACKOFF):
        assert_refused(authenticator, name, address=address)
