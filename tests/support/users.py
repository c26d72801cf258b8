"""Helpers for tests of the users file: a user, the text of a file, a user for each role."""

import json
from pathlib import Path
from typing import Any

from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, write

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA"
ANN = User("ann", Role.VIEWER, HASH)


def users_text(name: str = "ann", **fields: Any) -> str:
    """Return the text of a users file with one viewer; `fields` replace the user's."""
    return json.dumps({"users": {name: {"role": "viewer", "password": HASH} | fields}})


def write_role_users(path: Path) -> Path:
    """Write a users file with a user for each role, whose password is their name, and `pub`."""
    users = [User(role, role, hash_password(role)) for role in Role]
    users.append(User("pub", Role.PUBLIC, hash_password("pub")))
    write(path, {user.name: user for user in users})
    return path
