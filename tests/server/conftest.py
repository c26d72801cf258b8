"""Fixtures of the tests of the server's start."""

from pathlib import Path

import pytest
from xcom_server.auth.users import Role, User, write

from tests.support.passwords import CHEAP


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    """Return the path of a users file with the viewer ann."""
    path = tmp_path / "xcom-users.json"
    write(path, {"ann": User("ann", Role.VIEWER, CHEAP.hash("secret"))})
    return path
