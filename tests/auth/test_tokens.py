"""Tokens: valid for an existing user until they expire, if signed with the server's key."""

import base64
import hmac
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from xcom_server import clock
from xcom_server.auth.tokens import AUDIENCE, ISSUER, Tokens
from xcom_server.auth.users import Role, User, UsersFile, write
from xcom_server.errors import InvalidToken, TokenExpired

from tests.support.passwords import ANNS_HASH, CHEAP

KEY = b"0123456789abcdef" * 4
OTHER_KEY = b"fedcba9876543210" * 4
SECONDS = 600
CLAIMS = ("sub", "aud", "iss", "iat", "nbf", "exp", "jti", "record")
ANNS_RECORD = hmac.digest(KEY, f"user record\0ann\0{ANNS_HASH}".encode(), "sha256")[:16].hex()


@pytest.fixture
def tokens(users: UsersFile) -> Tokens:
    return Tokens(KEY, users, SECONDS)


def make_token(
    *, key: bytes | None = KEY, algorithm: str = "HS512", without: str = "", **claims: Any
) -> str:
    """Return a token like the server's, except for the given arguments."""
    now = int(time.time())
    all_claims = {
        "sub": "ann",
        "role": "viewer",
        "jti": "1",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + SECONDS,
        "record": ANNS_RECORD,
    } | claims
    all_claims.pop(without, None)
    return jwt.api_jws.encode(json.dumps(all_claims).encode(), key, algorithm)


def encode_part(data: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def test_token_verifies_to_its_user(tokens: Tokens, users: UsersFile) -> None:
    for user in users.users().values():
        assert tokens.verify(tokens.issue(user)) == user


def test_token_has_airflows_header_and_claims(tokens: Tokens, users: UsersFile) -> None:
    before = int(time.time())
    token = tokens.issue(users.users()["ann"])

    claims = jwt.decode(token, KEY, ["HS512"], audience="apache-airflow")
    assert jwt.get_unverified_header(token) == {"alg": "HS512", "kid": "not-used", "typ": "JWT"}
    assert {name: claims[name] for name in ("sub", "role", "teams", "aud", "iss")} == {
        "sub": "ann",
        "role": "viewer",
        "teams": [],
        "aud": "apache-airflow",
        "iss": "xcom-server",
    }
    assert claims["exp"] - claims["iat"] == SECONDS
    assert before <= claims["iat"] == claims["nbf"] <= time.time()
    assert "argon2" not in json.dumps(claims)


def test_token_ids_are_unique(tokens: Tokens, users: UsersFile) -> None:
    ids = {
        jwt.decode(tokens.issue(users.users()["ann"]), KEY, ["HS512"], audience=AUDIENCE)["jti"]
        for _ in range(20)
    }

    assert len(ids) == 20


@pytest.mark.parametrize(
    ("at_most", "seconds"), [(None, SECONDS), (60, 60), (SECONDS, SECONDS), (SECONDS + 1, SECONDS)]
)
def test_token_lifetime_is_the_shorter_limit(
    tokens: Tokens, users: UsersFile, at_most: int | None, seconds: int
) -> None:
    token = tokens.issue(users.users()["ann"], at_most)

    claims = jwt.decode(token, KEY, ["HS512"], audience=AUDIENCE)
    assert claims["exp"] - claims["iat"] == seconds


@pytest.mark.parametrize("past", [0, 1, 10**6])
def test_expired_token_is_rejected(tokens: Tokens, past: int) -> None:
    with pytest.raises(TokenExpired):
        tokens.verify(make_token(exp=int(time.time()) - past))


def test_issued_token_expires(
    tokens: Tokens, users: UsersFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = clock.now() - timedelta(seconds=SECONDS)
    monkeypatch.setattr(clock, "now", lambda: past)
    token = tokens.issue(users.users()["ann"])
    monkeypatch.undo()

    with pytest.raises(TokenExpired):
        tokens.verify(token)


def test_token_expires_even_if_it_was_verified_before(
    tokens: Tokens, users: UsersFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = tokens.issue(users.users()["ann"])
    assert tokens.verify(issued).name == "ann"
    later = clock.now() + timedelta(seconds=SECONDS + 1)
    monkeypatch.setattr(clock, "now", lambda: later)

    for _ in range(2):
        with pytest.raises(TokenExpired):
            tokens.verify(issued)


def test_token_is_valid_if_the_clock_is_behind(tokens: Tokens) -> None:
    later = int(time.time()) + 300

    assert tokens.verify(make_token(iat=later, nbf=later)).name == "ann"


@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize(
    "token",
    [
        lambda **claims: make_token(key=OTHER_KEY, **claims),
        lambda **claims: make_token(algorithm="HS256", **claims),
        lambda **claims: make_token(algorithm="HS384", **claims),
        lambda **claims: make_token(key=None, algorithm="none", **claims),
        lambda **claims: make_token(**claims).rpartition(".")[0] + ".",
        lambda **claims: make_token(**claims).rpartition(".")[0],
        lambda **claims: make_token(**claims) + "A",
        lambda **claims: (
            encode_part({"alg": "HS512"}) + "." + make_token(**claims).partition(".")[2]
        ),
    ],
    ids=[
        "another key",
        "HS256",
        "HS384",
        "unsigned",
        "empty signature",
        "no signature",
        "longer signature",
        "another header",
    ],
)
def test_token_with_a_bad_signature_is_invalid_even_if_expired(
    tokens: Tokens, token: Any, expired: bool
) -> None:
    """The expiry of a forged token must not be reported: it would look like a genuine token."""
    claims = {"exp": int(time.time()) - 5} if expired else {}

    with pytest.raises(InvalidToken):
        tokens.verify(token(**claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody-else"},
        {"aud": []},
        {"aud": ["x"]},
        {"iss": "somebody-else"},
        {"iss": ""},
        {"iss": [ISSUER, "x"]},
        {"exp": "soon"},
        {"exp": []},
        {"sub": "nobody"},
        {"sub": ""},
        {"sub": 5},
        {"sub": ["ann"]},
        {"sub": {"ann": 1}},
        {"sub": None},
        {"sub": "ann "},
        {"sub": "ANN"},
        {"jti": 5},
        {"record": ""},
        {"record": 5},
        {"record": [ANNS_RECORD]},
        {"record": ANNS_RECORD[:-1]},
        {"record": ANNS_HASH},
    ],
)
def test_token_with_a_wrong_claim_is_invalid(tokens: Tokens, claims: dict[str, Any]) -> None:
    assert tokens.verify(make_token()).name == "ann"

    with pytest.raises(InvalidToken):
        tokens.verify(make_token(**claims))


@pytest.mark.parametrize("claim", CLAIMS)
def test_token_without_a_claim_is_invalid(tokens: Tokens, claim: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(make_token(without=claim))


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "garbage",
        "é.é.é",
        "\0.\0.\0",
        "\ud800",
        encode_part({"alg": "HS512"}) + "." + encode_part({}) + ".",
        encode_part([]) + "." + encode_part({}) + ".eA",
        encode_part({"alg": None}) + "." + encode_part({}) + ".eA",
        encode_part({"alg": ["HS512"]}) + ".e30.eA",
        encode_part({"alg": "HS512", "kid": 5}) + ".e30.eA",
        encode_part("x") + ".e30.eA",
        base64.urlsafe_b64encode(b"[" * 6000).decode() + ".e30.eA",
    ],
)
def test_malformed_token_is_invalid(tokens: Tokens, token: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(token)


@pytest.mark.parametrize("payload", [b"", b"[]", b'"ann"', b"null", b"5", b"\xff", b"{bad"])
def test_signed_token_without_claims_is_invalid(tokens: Tokens, payload: bytes) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(jwt.api_jws.encode(payload, KEY, "HS512"))


def test_token_returns_the_current_role(tokens: Tokens, path: Path) -> None:
    token = make_token(role="admin")
    assert tokens.verify(token).role is Role.VIEWER

    write(path, {"ann": User("ann", Role.PUBLIC, ANNS_HASH)})

    assert tokens.verify(token).role is Role.PUBLIC
    assert tokens.verify(token).dag_ids is None


def test_token_of_a_removed_user_is_rejected_at_once(tokens: Tokens, path: Path) -> None:
    token = make_token()
    assert tokens.verify(token).name == "ann"

    write(path, {})

    with pytest.raises(InvalidToken):
        tokens.verify(token)


@pytest.mark.parametrize("password", ["ann's", "new"])
def test_new_password_ends_the_tokens_of_a_user(
    tokens: Tokens, users: UsersFile, path: Path, password: str
) -> None:
    """`user add` after `user remove` stores another hash, even of the same password."""
    token = tokens.issue(users.users()["ann"])
    assert tokens.verify(token).name == "ann"

    write(path, {"ann": User("ann", Role.VIEWER, CHEAP.hash(password))})

    with pytest.raises(InvalidToken):
        tokens.verify(token)
    assert tokens.verify(tokens.issue(users.users()["ann"])).name == "ann"


def test_token_is_only_valid_for_its_user_although_hashes_are_equal(
    tokens: Tokens, users: UsersFile, path: Path
) -> None:
    write(path, {name: User(name, Role.OP, ANNS_HASH) for name in ("ann", "eve")})
    claims = jwt.decode(tokens.issue(users.users()["ann"]), KEY, ["HS512"], audience=AUDIENCE)

    with pytest.raises(InvalidToken):
        tokens.verify(make_token(sub="eve", record=claims["record"]))


def test_servers_with_the_same_files_accept_each_others_tokens(
    users: UsersFile, path: Path
) -> None:
    token = Tokens(KEY, users, SECONDS).issue(users.users()["ann"])

    assert Tokens(KEY, UsersFile(path), SECONDS).verify(token).name == "ann"


def test_fingerprint_of_a_record_depends_on_the_key(users: UsersFile) -> None:
    """Otherwise a token could be used to test guesses of the password hash."""
    records = {
        jwt.decode(
            Tokens(key, users, SECONDS).issue(users.users()["ann"]),
            options={"verify_signature": False},
        )["record"]
        for key in (KEY, OTHER_KEY)
    }

    assert len(records) == 2
