"""Wrong passwords, counted by address and by user, and the waits that follow from them.

The limits of an address double its wait with each further wrong password.  The limit of a user
applies to addresses from which the user has not logged in before.  It never blocks the user: such
an address is refused once, and after the pause its next request competes only with others that have
waited.  Guesses from addresses that are used once never do.
"""

import hashlib
import math
import secrets
from collections import deque
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import NamedTuple

from cachetools import RRCache, TTLCache

from xcom_server.errors import TooManyAttempts
from xcom_server.formats.addresses import parse_address

MAX_COUNTED = 10_000  # the maximum of entries in each table, of about 300 bytes each

# How many wrong passwords an address may send before it has to wait: for one user, for all users.
ATTEMPTS_BEFORE_BACKOFF = 10
ADDRESS_ATTEMPTS_BEFORE_BACKOFF = 100
MAX_BACKOFF_SECONDS = 60  # the longest wait
FAILURE_WINDOW_SECONDS = 900  # how long after the last wrong password the count is reset

# How many wrong passwords other addresses may send for one user before their checks are spaced.
USER_ATTEMPTS_BEFORE_PAUSE = 100
USER_PAUSE_SECONDS = 10
FAMILIAR_SECONDS = 7 * 24 * 60 * 60  # how long an address is familiar after a login

# Passwords are being guessed if this many were wrong within this time.
GUESSING_FAILURES = 3
GUESSING_SECONDS = 10


def network_of(address: str) -> str:
    """Return what is counted as one address: an IPv4 address, or the /64 of an IPv6 address.

    A client usually has a whole /64.  Other text is returned unchanged.
    """
    ip = parse_address(address)
    if ip is None:
        return address  # empty for a Unix socket
    return f"{IPv6Address(int(ip) >> 64 << 64)}/64" if isinstance(ip, IPv6Address) else str(ip)


class _Failures(NamedTuple):
    attempts: int = 0
    last: float = -math.inf

    def back_off_until(self, allowed: int) -> float:
        excess = min(self.attempts - allowed, MAX_BACKOFF_SECONDS)
        return self.last + (min(2**excess, MAX_BACKOFF_SECONDS) if excess >= 0 else 0)


class Attempts:
    """Counts wrong passwords.  The caller must hold a lock, because a TTLCache needs one.

    A network is the result of `network_of`.  The keys of the tables are digests, so that long names
    use no more memory.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._digest_key = secrets.token_bytes(16)
        self._failures: TTLCache[bytes, _Failures, float] = TTLCache(
            MAX_COUNTED, FAILURE_WINDOW_SECONDS, clock
        )
        self._familiar: TTLCache[bytes, bool, float] = TTLCache(
            MAX_COUNTED, FAMILIAR_SECONDS, clock
        )
        # When an address was first refused because of the limit of a user. A full table drops an
        # entry at random: otherwise many fresh addresses would always drop the user's.
        self._refused: RRCache[bytes, float] = RRCache(MAX_COUNTED)
        self._latest = deque([-math.inf] * GUESSING_FAILURES, GUESSING_FAILURES)

    def refuse_blocked(self, name: str, network: str) -> None:
        """Raise TooManyAttempts if this address has to wait before it sends a password."""
        now = self._clock()
        wait = max(
            self._failed(network, name).back_off_until(ATTEMPTS_BEFORE_BACKOFF) - now,
            self._failed(network).back_off_until(ADDRESS_ATTEMPTS_BEFORE_BACKOFF) - now,
            self._user_pause(name, network, now),
        )
        if wait > 0:
            raise TooManyAttempts(math.ceil(wait))

    def record_failure(self, name: str, network: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        self._latest.append(now)
        counts = [(network, name), (network,)]
        if not self.is_familiar(name, network):
            counts.append(_user(name, has_waited=self._has_waited(name, network, now)))
            self._refused.pop(self._key(network, name), None)
        for parts in counts:
            attempts = self._failed(*parts).attempts
            self._failures[self._key(*parts)] = _Failures(attempts + 1, now)

    def record_success(self, name: str, network: str) -> None:
        """Reset this user's count at the address, and make the address familiar."""
        key = self._key(network, name)
        self._familiar[key] = True
        self._failures.pop(key, None)
        self._refused.pop(key, None)

    def is_familiar(self, name: str, network: str) -> bool:
        """Return whether this user has logged in from the address within FAMILIAR_SECONDS."""
        return self._key(network, name) in self._familiar

    def is_guessing(self) -> bool:
        """Return whether many passwords were wrong within the last seconds, from any address."""
        return self._clock() - self._latest[0] < GUESSING_SECONDS

    def _user_pause(self, name: str, network: str, now: float) -> float:
        """Return the seconds that the limit of a user makes this address wait, 0 for none."""
        lanes = [self._failed(*_user(name, has_waited=each)) for each in (False, True)]
        failures = sum(each.attempts for each in lanes)
        if failures < USER_ATTEMPTS_BEFORE_PAUSE or self.is_familiar(name, network):
            return 0
        has_waited = self._has_waited(name, network, now)
        wait = lanes[has_waited].last + USER_PAUSE_SECONDS - now
        if wait <= 0 or has_waited:
            return wait
        first_refused = self._first_refused(name, network, now)
        if first_refused is None:
            self._refused[self._key(network, name)] = first_refused = now
        return first_refused + USER_PAUSE_SECONDS - now

    def _has_waited(self, name: str, network: str, now: float) -> bool:
        refused = self._first_refused(name, network, now)
        return refused is not None and now - refused >= USER_PAUSE_SECONDS

    def _first_refused(self, name: str, network: str, now: float) -> float | None:
        refused: float = self._refused.get(self._key(network, name), -math.inf)
        return refused if now - refused < FAILURE_WINDOW_SECONDS else None

    def _failed(self, *parts: str) -> _Failures:
        return self._failures.get(self._key(*parts), _Failures())

    def _key(self, *parts: str) -> bytes:
        text = repr(parts).encode(errors="surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=self._digest_key).digest()


def _user(name: str, *, has_waited: bool) -> tuple[str, str, str]:
    """Return the parts of the key of a user's count, for addresses that have waited or not."""
    return ("user", name, "has waited" if has_waited else "has not waited")
