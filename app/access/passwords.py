"""Passwords: hashed with argon2, checked once, and guessed slowly.

An argon2 run costs some 50 ms and 64 MiB, so a password that was right is remembered for a while,
as a keyed digest, and one process runs one check at a time.  Whoever is wrong too often about one
user from one address has to wait, twice as long each time; a password that is remembered as right
is never made to wait.  What is remembered belongs to one process and ends with it.
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

from app.access.users import MAX_NAME_LENGTH, User, UsersFile
from app.errors import TooManyAttempts, Unauthenticated

REMEMBERED_SECONDS = 300
"""How long a password that was right need not be checked again."""

FREE_ATTEMPTS = 10
"""How often one may be wrong before one has to wait."""

LONGEST_WAIT = 60
"""The longest that one has to wait, in seconds."""

FORGIVEN_SECONDS = 900
"""How long after the last wrong password it is forgotten that there were any."""

MAX_REMEMBERED = 10_000
"""How many passwords, and how many who were wrong, are remembered at the most."""

MAX_PASSWORD_BYTES = 1024
"""The longest password, in bytes of UTF-8."""

_hasher = PasswordHasher()


def hashed(password: str) -> str:
    """Return the argon2 hash of a password, as a users file keeps it."""
    return _hasher.hash(password)


@dataclass
class _Failures:
    count: int
    last: float

    def wait_until(self) -> float:
        excess = min(self.count - FREE_ATTEMPTS, LONGEST_WAIT)
        return self.last + (min(2**excess, LONGEST_WAIT) if excess >= 0 else 0)


class Passwords:
    """Who somebody is, by name and password."""

    def __init__(self, users: UsersFile, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = users
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._nobody = hashed(secrets.token_urlsafe())  # for unknown users, who take as long
        self._one_at_a_time = threading.Lock()
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._wrong: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def user(self, name: str, password: str, address: str) -> User:
        """Return the user; `address` is where the password comes from.

        Raises Unauthenticated for an unknown user or a wrong password, and TooManyAttempts,
        without looking at the password, where there were too many of those.
        """
        if len(name) > MAX_NAME_LENGTH:
            raise Unauthenticated
        user = self._users.users().get(name)
        digest = self._digest(name, password, user.password_hash if user else "")
        if user is not None and self._right.get(digest, 0) > self._clock():
            return user
        with self._one_at_a_time:
            self._refuse_too_many(name, address)
            if len(password.encode(errors="surrogatepass")) > MAX_PASSWORD_BYTES:
                raise Unauthenticated  # not noted: what costs nothing must not push out the rest
            if not self._matches(user, password):
                self._note_wrong(name, address)
                raise Unauthenticated
            assert user is not None
            _remember(self._right, digest, self._clock() + REMEMBERED_SECONDS)
            self._wrong.pop((name, address), None)
        return user

    def _digest(self, *parts: str) -> bytes:
        text = "\0".join(str(len(part)) + ":" + part for part in parts)
        return hmac.digest(self._key, text.encode(errors="surrogatepass"), hashlib.sha256)

    def _refuse_too_many(self, name: str, address: str) -> None:
        failures = self._wrong.get((name, address))
        if failures is None:
            return
        now = self._clock()
        if now - failures.last > FORGIVEN_SECONDS:
            del self._wrong[name, address]
        elif now < failures.wait_until():
            raise TooManyAttempts(math.ceil(failures.wait_until() - now))

    def _matches(self, user: User | None, password: str) -> bool:
        try:
            _hasher.verify(user.password_hash if user else self._nobody, password)
        except (Argon2Error, InvalidHashError, UnicodeError):
            return False
        return user is not None

    def _note_wrong(self, name: str, address: str) -> None:
        failures = self._wrong.get((name, address))
        count = (failures.count if failures else 0) + 1
        _remember(self._wrong, (name, address), _Failures(count, self._clock()))


def _remember(memory: "OrderedDict[Any, Any]", key: object, value: object) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
