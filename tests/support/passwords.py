"""Attempts at passwords: a clock to wait by, hashes that are cheap to check, what comes of it."""

import pytest
from argon2 import PasswordHasher
from xcom_server.auth.passwords import ATTEMPTS_BEFORE_BACKOFF, PasswordAuthenticator
from xcom_server.errors import TooManyAttempts, Unauthenticated

HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CountingHasher(PasswordHasher):
    """argon2 itself, which counts how often it is asked."""

    runs = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        """Check a password, and count that."""
        CountingHasher.runs += 1
        return super().verify(hash, password)


def assert_refused(
    gate: PasswordAuthenticator, name: str = "ann", password: str = "wrong", address: str = HOME
) -> None:
    """Assert that a name and a password are rejected without a wait."""
    with pytest.raises(Unauthenticated):
        gate.authenticate(name, password, address)


def wait_for(
    gate: PasswordAuthenticator, name: str = "ann", password: str = "wrong", address: str = HOME
) -> int:
    """Return the seconds that one is made to wait; fails the test where one is not."""
    with pytest.raises(TooManyAttempts) as error:
        gate.authenticate(name, password, address)
    return error.value.seconds


def fail_until_one_waits(
    gate: PasswordAuthenticator, name: str = "ann", address: str = HOME
) -> None:
    """Send as many wrong passwords as are allowed without a wait."""
    for _ in range(ATTEMPTS_BEFORE_BACKOFF):
        assert_refused(gate, name, address=address)
