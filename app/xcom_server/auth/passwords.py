"""Password checks with argon2, and a cache of verified passwords.

One argon2 check takes about 50 ms and 64 MiB, so each process runs one at a time and caches
verified passwords as keyed digests.  Wrong passwords limit further attempts (`attempts.py`); a
cached password is always accepted.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from cachetools import TTLCache

from xcom_server.auth.attempts import Attempts, network_of
from xcom_server.auth.check_queue import CheckQueue
from xcom_server.auth.users import MAX_NAME_LENGTH, User, UserSource
from xcom_server.errors import Unauthenticated

MAX_PASSWORD_BYTES = 1024  # in UTF-8
MAX_VERIFIED = 10_000  # the maximum of verified passwords in memory
VERIFIED_SECONDS = 300  # how long a verified password is cached

_hasher = PasswordHasher()
_PLAIN = "$sha256$"  # the prefix of a hash of `hash_plainly`


def hash_password(password: str) -> str:
    """Return the argon2 hash of a password, in the encoded form of the users file."""
    return _hasher.hash(password)


def hash_plainly(password: str) -> str:
    """Return a fast hash, for users whose passwords are in the environment as plain text.

    A slow hash would protect nothing there, and would delay the start of each worker.
    """
    return _PLAIN + hashlib.sha256(password.encode(errors="surrogatepass")).hexdigest()


class PasswordAuthenticator:
    """Checks user names and passwords of the users of a source.  Instances are thread-safe.

    While passwords are being guessed, `strangers` is the maximum of requests that wait for argon2
    and come from addresses from which their user has not logged in before.
    """

    def __init__(
        self,
        users: UserSource,
        clock: Callable[[], float] = time.monotonic,
        strangers: int = 1,
    ) -> None:
        self._users = users
        self._clock = clock
        self._digest_key = secrets.token_bytes(32)
        # Checked for unknown users, so that the response time does not reveal which users exist.
        hash_like_theirs = hash_plainly if users.is_plain else hash_password
        self._dummy_hash = hash_like_theirs(secrets.token_urlsafe())
        self._cache_lock = threading.Lock()  # for the caches, which are not thread-safe
        self._verified: TTLCache[bytes, bool, float] = TTLCache(
            MAX_VERIFIED, VERIFIED_SECONDS, clock
        )
        self._attempts = Attempts(clock)
        self._queue = CheckQueue(self._is_guessing, strangers)

    def authenticate(self, name: str, password: str, address: str) -> User:
        """Return the user with this name and password; `address` is the client's IP address.

        Raises Unauthenticated for an unknown user or a wrong password, and TooManyAttempts,
        without checking the password, while the address has to wait or too many requests wait.
        """
        if len(name) > MAX_NAME_LENGTH:
            raise Unauthenticated
        user = self._users.users().get(name)
        password_hash = user.password_hash if user else self._dummy_hash
        identity = repr((name, password, password_hash)).encode()
        digest = hmac.digest(self._digest_key, identity, "sha256")
        if user and self._is_verified(digest):
            return user
        network = network_of(address)
        is_familiar = self._refuse_blocked(name, network)
        if len(password.encode(errors="surrogatepass")) > MAX_PASSWORD_BYTES:
            raise Unauthenticated  # not counted: no hash was computed
        with self._queue.turn(is_familiar=is_familiar):
            if user and self._is_verified(digest):  # another thread has just verified it
                return user
            self._refuse_blocked(name, network)  # other threads may have failed since
            if not matches(password_hash, password) or user is None:
                self._record_failure(name, network)
                raise Unauthenticated
            self._record_success(name, network, digest)
            return user

    def _is_verified(self, digest: bytes) -> bool:
        with self._cache_lock:
            return digest in self._verified

    def _is_guessing(self) -> bool:
        with self._cache_lock:
            return self._attempts.is_guessing()

    def _refuse_blocked(self, name: str, network: str) -> bool:
        """Raise TooManyAttempts if the address has to wait, else return whether it is familiar."""
        with self._cache_lock:
            self._attempts.refuse_blocked(name, network)
            return self._attempts.is_familiar(name, network)

    def _record_failure(self, name: str, network: str) -> None:
        with self._cache_lock:
            self._attempts.record_failure(name, network)

    def _record_success(self, name: str, network: str, digest: bytes) -> None:
        with self._cache_lock:
            self._attempts.record_success(name, network)
            self._verified[digest] = True


def matches(password_hash: str, password: str) -> bool:
    """Return whether this is the password of a hash; an invalid hash has no password."""
    if password_hash.startswith(_PLAIN):
        return hmac.compare_digest(password_hash, hash_plainly(password))
    try:
        return _hasher.verify(password_hash, password)
    except (Argon2Error, InvalidHashError, UnicodeError):
        return False
