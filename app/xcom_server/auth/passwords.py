"""PasswordAuthenticator: hash_password with argon2, checked once, and guessed slowly.

An argon2 run costs some 50 ms and 64 MiB, so a password that was right is remembered for a while,
as a keyed digest, and one process runs one check at a time.  An address that is wrong too often
about one user, or about anybody, has to wait, twice as long each time; a password that is
remembered as right is never made to wait.  What is remembered belongs to one process.
"""

import hashlib
import hmac
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from xcom_server.auth.users import MAX_NAME_LENGTH, User, UsersFile
from xcom_server.errors import TooManyAttempts, Unauthenticated

VERIFIED_SECONDS = 300
"""How long a password that was right need not be checked again."""

ATTEMPTS_BEFORE_BACKOFF = 10
"""How often an address may be wrong about one user before it has to wait."""

ADDRESS_ATTEMPTS_BEFORE_BACKOFF = 100
"""How often an address may be wrong about anybody before it has to wait."""

HASH_LOCK_TIMEOUT_SECONDS = 1
"""How long one waits for one's turn with argon2, in seconds, before one is sent away."""

MAX_BACKOFF_SECONDS = 60
"""The longest that one has to wait, in seconds."""

FAILURE_WINDOW_SECONDS = 900
"""How long after the last wrong password it is forgotten that there were any."""

MAX_REMEMBERED = 10_000
"""How many passwords, and how many who were wrong, are remembered at the most."""

MAX_PASSWORD_BYTES = 1024
"""The longest password, in bytes of UTF-8."""

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the argon2 hash of a password, as a users file keeps it."""
    return _hasher.hash(password)


@dataclass
class _Failures:
    count: int
    last: float

    def wait_until(self, free: int) -> float:
        excess = min(self.count - free, MAX_BACKOFF_SECONDS)
        return self.last + (min(2**excess, MAX_BACKOFF_SECONDS) if excess >= 0 else 0)


_Guesser = tuple[str, str | None]
"""An address, and the name of the user that it was wrong about; None counts them all."""


class PasswordAuthenticator:
    """Who somebody is, by name and password."""

    def __init__(self, users: UsersFile, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = users
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._nobody = hash_password(secrets.token_urlsafe())  # for unknown users, who take as long
        self._one_at_a_time = threading.Lock()
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._wrong: OrderedDict[_Guesser, _Failures] = OrderedDict()

    def user(self, name: str, password: str, address: str) -> User:
        """Return the user; `address` is where the password comes from.

        Raises Unauthenticated for an unknown user or a wrong password, and TooManyAttempts,
        without looking at the password, where there were too many of those.
        """
        if len(name) > MAX_NAME_LENGTH:
            raise Unauthenticated
        user = self._users.users().get(name)
        digest = self._digest(name, password, user.password_hash if user else "")
        if user is not None and self._is_remembered(digest):
            return user
        self._refuse_too_many(name, address)
        if len(password.encode(errors="surrogatepass")) > MAX_PASSWORD_BYTES:
            raise Unauthenticated  # not noted: what costs nothing must not push out the rest
        if not self._one_at_a_time.acquire(timeout=HASH_LOCK_TIMEOUT_SECONDS):
            raise TooManyAttempts(HASH_LOCK_TIMEOUT_SECONDS)
        try:
            return self._checked(name, user, password, address, digest)
        finally:
            self._one_at_a_time.release()

    def _checked(self, name: str, user: User | None, password: str, address: str,
                 digest: bytes) -> User:
        if user is not None and self._is_remembered(digest):  # by now: it was just checked
            return user
        self._refuse_too_many(name, address)  # again: others may have been wrong meanwhile
        if user is None or not self._matches(user.password_hash, password):
            if user is None:
                self._matches(self._nobody, password)
            self._note_wrong((address, name))
            self._note_wrong((address, None))
            raise Unauthenticated
        _remember(self._right, digest, self._clock() + VERIFIED_SECONDS)
        self._wrong.pop((address, name), None)
        return user

    def _is_remembered(self, digest: bytes) -> bool:
        return self._right.get(digest, 0) > self._clock()

    def _digest(self, *parts: str) -> bytes:
        text = "\0".join(str(len(part)) + ":" + part for part in parts)
        return hmac.digest(self._key, text.encode(errors="surrogatepass"), hashlib.sha256)

    def _refuse_too_many(self, name: str, address: str) -> None:
        now = self._clock()
        for guesser, free in (((address, name), ATTEMPTS_BEFORE_BACKOFF),
                              ((address, None), ADDRESS_ATTEMPTS_BEFORE_BACKOFF)):
            failures = self._wrong.get(guesser)
            if failures is None:
                continue
            if now - failures.last > FAILURE_WINDOW_SECONDS:
                self._wrong.pop(guesser, None)
            elif now < failures.wait_until(free):
                raise TooManyAttempts(math.ceil(failures.wait_until(free) - now))

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return _hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError, UnicodeError):
            return False

    def _note_wrong(self, guesser: _Guesser) -> None:
        failures = self._wrong.get(guesser)
        _remember(self._wrong, guesser,
                  _Failures((failures.count if failures else 0) + 1, self._clock()))


def _remember(memory: "OrderedDict[Any, Any]", key: object, value: object) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
