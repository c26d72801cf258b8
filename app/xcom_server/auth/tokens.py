"""Tokens: JSON Web Tokens as Airflow 3 signs them, HS512 with a key that is never defaulted."""

import os
import secrets
import tempfile
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt

from xcom_server.auth.users import User, UsersFile
from xcom_server.errors import InvalidToken, TokenExpired

MIN_KEY_BYTES = 64
"""The shortest key: as long as what HS512 makes of it (RFC 7518, 3.2)."""

AUDIENCE = "apache-airflow"
ISSUER = "xcom-server"
_ALGORITHM = "HS512"
_CLAIMS = ["sub", "aud", "iss", "iat", "nbf", "exp", "jti"]


MAX_REMEMBERED = 1000
"""How many tokens are remembered as good at the most; each is some 400 bytes."""


class InvalidKeyFile(ValueError):
    """The key file cannot be used; the text says where and why."""


def load_or_create_key(path: Path) -> bytes:
    """Return the key in a file, which is made, for its owner's eyes alone, where there is none.

    Several processes may do so at once: all of them get the key that one of them made. Raises
    InvalidKeyFile.
    """
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise InvalidKeyFile(f"the key file {path} cannot be used: {error.strerror}") from None
    if len(key) < MIN_KEY_BYTES:
        raise InvalidKeyFile(f"the key file {path} holds {len(key)} bytes, less than {MIN_KEY_BYTES}."
                     " Remove it, and a new one is made.")
    return key


def _make_key(path: Path) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as new:
        new.write(secrets.token_hex(MIN_KEY_BYTES) + "\n")
        new.flush()
        os.fsync(new.fileno())
        with suppress(FileExistsError):
            os.link(new.name, path)  # unlike a rename, it never takes another key's place


class Tokens:
    """Tokens for the users in a file; `seconds` is how long each is good."""

    def __init__(self, key: bytes, users: UsersFile, seconds: int) -> None:
        self._key = key
        self._users = users
        self._seconds = seconds
        # Only what was found to be good is remembered; looking again takes 0.1 ms.
        self._known_claims = lru_cache(maxsize=MAX_REMEMBERED)(self._claims)

    def issue(self, user: User, at_most: int | None = None) -> str:
        """Return a new token for a user, good for `at_most` seconds where that is less."""
        now = int(time.time())
        seconds = min(self._seconds, at_most or self._seconds)
        claims = {"sub": user.name, "role": str(user.role), "teams": [],
                  "jti": secrets.token_hex(16), "iss": ISSUER, "aud": AUDIENCE, "nbf": now,
                  "exp": now + seconds, "iat": now}
        return jwt.encode(claims, self._key, _ALGORITHM, headers={"kid": "not-used"})

    def user(self, token: str) -> User:
        """Return the user that a token stands for, as the users file has them now.

        Raises TokenExpired, and InvalidToken for any other token that is not good.
        """
        claims = self._known_claims(token)
        if int(claims["exp"]) <= time.time():  # by now
            raise TokenExpired
        user = self._users.users().get(claims["sub"])
        if user is None:
            raise InvalidToken
        return user

    def _claims(self, token: str) -> dict[str, Any]:
        # A token is good from the moment it is made, also for a host whose clock is behind.
        options: Any = {"require": _CLAIMS, "verify_iat": False, "verify_nbf": False}
        try:
            return jwt.decode(token, self._key, [_ALGORITHM], options, audience=AUDIENCE,
                              issuer=ISSUER)
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.InvalidTokenError, ValueError):
            raise InvalidToken from None
