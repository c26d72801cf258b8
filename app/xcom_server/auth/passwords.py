"""Password checks with argon2, a cache of verified passwords, and brute-force protection.

One argon2 check takes about 50 ms and 64 MiB, so each process runs one at a time and caches
verified passwords as keyed digests.  After too many wrong passwords an address has to wait, and
each further one doubles the wait; a cached password is always accepted.
"""

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

MAX_PASSWORD_BYTES = 1024  # in UTF-8
MAX_CACHED = 10_000  # the maximum of verified passwords, and of failure counts, in memory
VERIFIED_SECONDS = 300  # how long a verified password is cached
HASH_LOCK_TIMEOUT_SECONDS = 1  # how long a request waits for argon2 before it gets a 429

# How many wrong passwords an address may send before it has to wait: for one user, for all users.
ATTEMPTS_BEFORE_BACKOFF = 10
ADDRESS_ATTEMPTS_BEFORE_BACKOFF = 100
MAX_BACKOFF_SECONDS = 60  # the longest wait
FAILURE_WINDOW_SECONDS = 900  # how long after the last wrong password the count is reset

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the argon2 hash of a password, in the encoded form of the users file."""
    return _hasher.hash(password)


_FailureKey = tuple[str, str | None]  # an address, and a user name or None for all users


class _Failures(NamedTuple):
    attempts: int = 0
    last: float = 0

    def blocked_until(self, allowed: int) -> float:
        excess = min(self.attempts - allowed, MAX_BACKOFF_SECONDS)
        return self.last + (min(2**excess, MAX_BACKOFF_SECONDS) if excess >= 0 else 0)


class PasswordAuthenticator:
    """Checks user names and passwords against the users file.  Instances are thread-safe."""

    def __init__(self, users: UsersFile, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = users
        self._clock = clock
        self._digest_key = secrets.token_bytes(32)
        # Checked for unknown users, so that the response time does not reveal which users exist.
        self._dummy_hash = hash_password(secrets.token_urlsafe())
        self._hash_lock = threading.Lock()
        self._cache_lock = threading.Lock()  # a TTLCache is not thread-safe
        self._verified: TTLCache[bytes, bool, float] = TTLCache(MAX_CACHED, VERIFIED_SECONDS, clock)
        self._failures: TTLCache[_FailureKey, _Failures, float] = TTLCache(
            MAX_CACHED, FAILURE_WINDOW_SECONDS, clock
        )

    def authenticate(self, name: str, password: str, address: str) -> User:
        """Return the user with this name and password; `address` is the client's IP address.

        Raises Unauthenticated for an unknown user or a wrong password, and TooManyAttempts,
        without checking the password, while the address has to wait.
        """
        if len(name) > MAX_NAME_LENGTH:
            raise Unauthenticated
        user = self._users.users().get(name)
        password_hash = user.password_hash if user else self._dummy_hash
        identity = repr((name, password, password_hash)).encode()
        digest = hmac.digest(self._digest_key, identity, "sha256")
        if user and self._is_verified(digest):
            return user
        self._refuse_blocked(name, address)
        if len(password.encode(errors="surrogatepass")) > MAX_PASSWORD_BYTES:
            raise Unauthenticated  # not counted: no hash was computed
        if not self._hash_lock.acquire(timeout=HASH_LOCK_TIMEOUT_SECONDS):
            raise TooManyAttempts(HASH_LOCK_TIMEOUT_SECONDS)
        try:
            if user and self._is_verified(digest):  # another thread has just verified it
                return user
            self._refuse_blocked(name, address)  # other threads may have failed since
            if not matches(password_hash, password) or user is None:
                self._record_failure(name, address)
                raise Unauthenticated
            with self._cache_lock:
                self._verified[digest] = True
                self._failures.pop((address, name), None)
            return user
        finally:
            self._hash_lock.release()

    def _is_verified(self, digest: bytes) -> bool:
        with self._cache_lock:
            return digest in self._verified

    def _refuse_blocked(self, name: str, address: str) -> None:
        with self._cache_lock:
            for key, allowed in (
                ((address, name), ATTEMPTS_BEFORE_BACKOFF),
                ((address, None), ADDRESS_ATTEMPTS_BEFORE_BACKOFF),
            ):
                failures = self._failures.get(key, _Failures())
                wait = failures.blocked_until(allowed) - self._clock()
                if wait > 0:
                    raise TooManyAttempts(math.ceil(wait))

    def _record_failure(self, name: str, address: str) -> None:
        with self._cache_lock:
            for key in (address, name), (address, None):
                attempts = self._failures.get(key, _Failures()).attempts
                self._failures[key] = _Failures(attempts + 1, self._clock())


def matches(password_hash: str, password: str) -> bool:
    """Return whether this is the password of a hash; an invalid hash has no password."""
    try:
        return _hasher.verify(password_hash, password)
    except (Argon2Error, InvalidHashError, UnicodeError):
        return False
