"""Helpers for tests of the users file: a user, and the text of a file."""

import json
from typing import Any

from xcom_server.auth.users import Role, User

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA"
ANN = User("ann", Role.VIEWER, HASH)


def users_text(name: str = "ann", **fields: Any) -> str:
    """Return the text of a users file with one viewer; `fields` replace the user's."""
    return json.dumps({"users": {name: {"role": "viewer", "password": HASH} | fields}})
