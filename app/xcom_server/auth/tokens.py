"""JSON Web Tokens with Airflow 3's claims, signed with HS512.

A token also has the claim `record`, a fingerprint of its user's name and password hash. It ends the
token when the user is removed or gets a new password, and a new user of the same name does not
inherit it.
"""

import hmac
import logging
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt

from xcom_server import clock
from xcom_server.auth import atomic_file
from xcom_server.auth.exposure import warn_if_exposed
from xcom_server.auth.users import User, UserSource
from xcom_server.errors import InvalidToken, OperatorError, TokenExpired

MIN_KEY_BYTES = 64  # the size of the HS512 output (RFC 7518, section 3.2)
MAX_CACHED = 1000  # the maximum of verified tokens in memory, of about 400 bytes each
AUDIENCE = "apache-airflow"
ISSUER = "xcom-server"
_ALGORITHM = "HS512"
_log = logging.getLogger(__name__)
# `iat` and `nbf` are not compared with the clock, since the issuing server's may be ahead. `exp` is
# compared in `verify`, because PyJWT has the clock of the machine.
_OPTIONS: Any = {
    "require": ["sub", "aud", "iss", "iat", "nbf", "exp", "jti", "record"],
    "verify_iat": False,
    "verify_nbf": False,
    "verify_exp": False,
}


class InvalidKeyFile(OperatorError):
    """The key file cannot be used; the message names the file and the reason."""


def load_or_create_key(path: Path, *, may_be_temporary: bool = False) -> bytes:
    """Return the key in a file; create a missing file with a random key and mode 0600.

    Processes that call this at the same time get the same key.  A warning is logged if other users
    of the machine can change or read the file.  Raises InvalidKeyFile for a file
    that cannot be read or created, and for a key of less than MIN_KEY_BYTES.  If `may_be_temporary`
    and the file cannot be created, the key is only in memory, of this process and of those that it
    forks later.
    """
    try:
        if not path.exists():
            atomic_file.create(path, secrets.token_hex(MIN_KEY_BYTES) + "\n")
        key = path.read_bytes().strip()
    except OSError as error:
        if may_be_temporary and not os.path.exists(path):
            return _temporary_key(path, error.strerror)
        raise InvalidKeyFile(
            f"the token key file {path} cannot be used: {error.strerror}"
        ) from None
    if len(key) < MIN_KEY_BYTES:
        raise InvalidKeyFile(
            f"the token key file {path} has {len(key)} bytes, but at least {MIN_KEY_BYTES} are"
            " needed. Remove it, and the next start creates a new one."
        )
    warn_if_exposed(path, "token key file")
    return key


@lru_cache
def _temporary_key(path: Path, reason: str) -> bytes:
    """Return a random key, the same each time, and log the reason at the first call."""
    _log.warning(
        "The token key file %s cannot be created: %s. Tokens are valid until this server stops.",
        path,
        reason,
    )
    return secrets.token_bytes(MIN_KEY_BYTES)


class Tokens:
    """Issues and verifies tokens; `seconds` is the lifetime of a token."""

    def __init__(self, key: bytes, users: UserSource, seconds: int) -> None:
        self._key = key
        self._users = users
        self._seconds = seconds
        # Saves 0.1 ms per request.  Exceptions are not cached.
        self._cached_claims = lru_cache(maxsize=MAX_CACHED)(self._claims)

    def issue(self, user: User, at_most: int | None = None) -> str:
        """Return a new token for a user; `at_most` limits its lifetime, in seconds."""
        now = int(clock.now().timestamp())
        seconds = min(self._seconds, at_most or self._seconds)
        claims = {
            "sub": user.name,
            "role": str(user.role),
            "teams": [],
            "jti": secrets.token_hex(16),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "nbf": now,
            "exp": now + seconds,
            "iat": now,
            "record": self._fingerprint(user),
        }
        return jwt.encode(claims, self._key, _ALGORITHM, headers={"kid": "not-used"})

    def verify(self, token: str) -> User:
        """Return the user of a token, with the role and DAGs that the users file has now.

        Raises TokenExpired for an expired token, and InvalidToken for any other invalid one, such
        as a token that was issued before its user got a new password.
        """
        claims = self._cached_claims(token)
        if claims["exp"] <= clock.now().timestamp():
            raise TokenExpired
        user = self._users.users().get(claims["sub"])
        if user is None or claims["record"] != self._fingerprint(user):
            raise InvalidToken
        return user

    def _fingerprint(self, user: User) -> str:
        """Return 128 bits that change with the password, even to an equal one with another salt.

        The key keeps holders of a token from testing guesses of the password hash.
        """
        record = f"user record\0{user.name}\0{user.password_hash}".encode()
        return hmac.digest(self._key, record, "sha256")[:16].hex()

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            claims = jwt.decode(
                token, self._key, [_ALGORITHM], _OPTIONS, audience=AUDIENCE, issuer=ISSUER
            )
            return claims | {"exp": int(claims["exp"])}
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise InvalidToken from None
