"""Tokens: JSON Web Tokens in the form of Airflow 3's, signed with HS512; the key has no default."""

import secrets
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt

from xcom_server.auth import atomic_file
from xcom_server.auth.users import User, UsersFile
from xcom_server.errors import InvalidToken, OperatorError, TokenExpired

MIN_KEY_BYTES = 64  # as long as the output of HS512 (RFC 7518, 3.2)
MAX_CACHED = 1000  # verified tokens in memory, of some 400 bytes each
AUDIENCE = "apache-airflow"
ISSUER = "xcom-server"
_ALGORITHM = "HS512"
# `iat` and `nbf` are not compared with the clock: the issuer's clock may be ahead of ours.
_OPTIONS: Any = {
    "require": ["sub", "aud", "iss", "iat", "nbf", "exp", "jti"],
    "verify_iat": False,
    "verify_nbf": False,
}


class InvalidKeyFile(OperatorError):
    """The key file cannot be used; the text says where and why."""


def load_or_create_key(path: Path) -> bytes:
    """Return the key in a file; a missing file is created with a new key, readable by its owner.

    Processes that do so at the same time all get the same key. Raises InvalidKeyFile.
    """
    try:
        if not path.exists():
            atomic_file.create(path, secrets.token_hex(MIN_KEY_BYTES) + "\n")
        key = path.read_bytes().strip()
    except OSError as error:
        raise InvalidKeyFile(f"the key file {path} cannot be used: {error.strerror}") from None
    if len(key) < MIN_KEY_BYTES:
        raise InvalidKeyFile(
            f"the key file {path} holds {len(key)} bytes, less than {MIN_KEY_BYTES}."
            " Remove it, and a new one is made."
        )
    return key


class Tokens:
    """Issues and verifies the tokens of users; `seconds` is how long a token is valid."""

    def __init__(self, key: bytes, users: UsersFile, seconds: int) -> None:
        self._key = key
        self._users = users
        self._seconds = seconds
        # Saves 0.1 ms a request. An exception is not cached.
        self._cached_claims = lru_cache(maxsize=MAX_CACHED)(self._claims)

    def issue(self, user: User, at_most: int | None = None) -> str:
        """Return a new token for a user, valid for `at_most` seconds if that is shorter."""
        now = int(time.time())
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
        }
        return jwt.encode(claims, self._key, _ALGORITHM, headers={"kid": "not-used"})

    def verify(self, token: str) -> User:
        """Return the user of a token, as the users file has them now.

        Raises TokenExpired, and InvalidToken for any other token that is not valid.
        """
        claims = self._cached_claims(token)
        if int(claims["exp"]) <= time.time():  # a cached token may have expired since
            raise TokenExpired
        user = self._users.users().get(claims["sub"])
        if user is None:
            raise InvalidToken
        return user

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token, self._key, [_ALGORITHM], _OPTIONS, audience=AUDIENCE, issuer=ISSUER
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.InvalidTokenError, ValueError):
            raise InvalidToken from None
