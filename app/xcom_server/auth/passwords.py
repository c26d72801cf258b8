"""Passwords: hashed with argon2, cached once verified, and limited in how often they may be wrong.

An argon2 run takes some 50 ms and 64 MiB. A process therefore runs one at a time and caches a
verified password for a while, as a keyed digest.  After too many wrong passwords for one user or
for all users, an address has to wait, twice as long after each further one.  A cached password
never waits.  The caches belong to one process.
"""

import hashlib
import hmac
import math
import secrets
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from cachetools import TTLCache

from xcom_server.auth.users import MAX_NAME_LENGTH, User, UsersFile
from xcom_server.errors import TooManyAttempts, Unauthenticated

VERIFIED_SECONDS = 300
"""How long a verified password is cached."""

ATTEMPTS_BEFORE_BACKOFF = 10
"""How many wrong passwords for one user an address may send before it has to wait."""

ADDRESS_ATTEMPTS_BEFORE_BACKOFF = 100
"""How many wrong passwords for all users an address may send before it has to wait."""

HASH_LOCK_TIMEOUT_SECONDS = 1
"""How long a request waits for the argon2 runs of others before it is refused."""

MAX_BACKOFF_SECONDS = 60
"""The longest wait after a wrong password."""

FAILURE_WINDOW_SECONDS = 900
"""How long after the last wrong password the count starts at zero again."""

MAX_CACHED = 10_000
"""The largest number of verified passwords, and of counts of wrong ones, in memory."""

MAX_PASSWORD_BYTES = 1024
"""The longest password, in bytes of UTF-8."""

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the argon2 hash of a password, as the users file stores it."""
    return _hasher.hash(password)


_FailureKey = tuple[str, str | None]
"""An address and a user's name; the name None stands for all users."""


class _Failures(NamedTuple):
    attempts: int = 0
    last: float = 0

    def blocked_until(self, allowed: int) -> float:
        excess = min(self.attempts - allowed, MAX_BACKOFF_SECONDS)
        return self.last + (min(2**excess, MAX_BACKOFF_SECONDS) if excess >= 0 else 0)


class PasswordAuthenticator:
    """Checks names and passwords against the users file. It is thread-safe."""

    def __init__(self, users: UsersFile, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = users
        self._clock = clock
        self._digest_key = secrets.token_bytes(32)
        self._dummy_hash = hash_password(secrets.token_urlsafe())  # unknown users take as long
        self._hash_lock = threading.Lock()
        self._cache_lock = threading.Lock()  # a TTLCache is not thread-safe
        self._verified: TTLCache[bytes, bool, float] = TTLCache(
            MAX_CACHED, VERIFIED_SECONDS, clock)
        self._failures: TTLCache[_FailureKey, _Failures, float] = TTLCache(
            MAX_CACHED, FAILURE_WINDOW_SECONDS, clock)

    def authenticate(self, name: str, password: str, address: str) -> User:
        """Return the user with this name and password; `address` is the client's.

        Raises Unauthenticated for an unknown user or a wrong password, and TooManyAttempts,
        without a look at the password, while the address has to wait.
        """
        if len(name) > MAX_NAME_LENGTH:
            raise Unauthenticated
        user = self._users.users().get(name)
        digest = self._digest(name, password, user.password_hash if user else "")
        if user and self._is_verified(digest):
            return user
        self._refuse_blocked(name, address)
        if len(password.encode(errors="surrogatepass")) > MAX_PASSWORD_BYTES:
            raise Unauthenticated  # not counted: it costs nothing and must not evict other counts
        if not self._hash_lock.acquire(timeout=HASH_LOCK_TIMEOUT_SECONDS):
            raise TooManyAttempts(HASH_LOCK_TIMEOUT_SECONDS)
        try:
            if user and self._is_verified(digest):  # another thread has just verified it
                return user
            self._refuse_blocked(name, address)  # other threads may have failed since
            if not self._matches(user, password) or user is None:
                self._record_failure(name, address)
                raise Unauthenticated
            with self._cache_lock:
                self._verified[digest] = True
                self._failures.pop((address, name), None)
            return user
        finally:
            self._hash_lock.release()

    def _digest(self, *parts: str) -> bytes:
        text = "\0".join(str(len(part)) + ":" + part for part in parts)
        return hmac.digest(self._digest_key, text.encode(errors="surrogatepass"), hashlib.sha256)

    def _is_verified(self, digest: bytes) -> bool:
        with self._cache_lock:
            return digest in self._verified

    def _refuse_blocked(self, name: str, address: str) -> None:
        with self._cache_lock:
            for key, allowed in (((address, name), ATTEMPTS_BEFORE_BACKOFF),
                                 ((address, None), ADDRESS_ATTEMPTS_BEFORE_BACKOFF)):
                failures = self._failures.get(key, _Failures())
                wait = failures.blocked_until(allowed) - self._clock()
                if wait > 0:
                    raise TooManyAttempts(math.ceil(wait))

    def _matches(self, user: User | None, password: str) -> bool:
        try:
            return _hasher.verify(user.password_hash if user else self._dummy_hash, password)
        except (Argon2Error, InvalidHashError, UnicodeError):
            return False

    def _record_failure(self, name: str, address: str) -> None:
        with self._cache_lock:
            for key in (address, name), (address, None):
                attempts = self._failures.get(key, _Failures()).attempts
                self._failures[key] = _Failures(attempts + 1, self._clock())
