"""The users of an attacked server, and random credentials: right, wrong and malformed."""

import json
import random
from pathlib import Path
from urllib.request import Request, urlopen

from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, read, write

from tests.attack.requests_made import Credentials, basic
from tests.support.users import write_role_users

LIMITED = "ann"
MINE, THEIRS = ("etl", "b"), ("secret_a", "secret_f")
"""The DAGs that the limited user may see, and those that the user may not."""

BROKEN = (
    "Basic",
    "Basic !!!",
    "Basic " + "QUFB" * 2000,
    "Basic AAAA=",
    "Bearer",
    "Bearer a.b.c",
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
    "Digest username=admin",
)


def write_users(path: Path) -> Path:
    """Write a users file with a user for each role, and a user who may see two DAGs."""
    users = read(write_role_users(path))
    limited = User(LIMITED, Role.USER, hash_password(LIMITED), frozenset(MINE))
    write(path, {**users, LIMITED: limited})
    return path


def token(port: int, name: str) -> str:
    """Return a token for a user whose password equals the name."""
    request = Request(
        f"http://127.0.0.1:{port}/auth/token",
        json.dumps({"username": name, "password": name}).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["access_token"])


def credentials_of(port: int, has_users: bool) -> Credentials:
    """Return a function that chooses credentials, mostly those of a user who may write."""
    if not has_users:
        return lambda version, choose: ()
    names = ("admin", "admin", "admin", "user", LIMITED, "viewer", "pub")
    tokens = {name: token(port, name) for name in {*names}}

    def chosen(version: str, choose: random.Random) -> tuple[tuple[str, str], ...]:
        chance = choose.random()
        if chance < 0.03:
            return ()
        if chance < 0.06:
            return (("Authorization", choose.choice(BROKEN)),)
        name = choose.choice(names)
        if version == "v1":
            return (basic(name, name),)
        return (("Authorization", f"Bearer {tokens[name]}"),)

    return chosen
