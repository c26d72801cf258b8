"""A users file that changes: it is read again, and a damaged one keeps the last users."""

import logging
from pathlib import Path
from typing import Any

import pytest
from xcom_server.auth.users import (
    InvalidUsersFile,
    Role,
    User,
    UsersFile,
    write,
)

from tests.support.users import ANN, HASH, users_text


def test_changed_file_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    write(path, {"ann": ANN})
    users = UsersFile(path)
    assert users.users() == {"ann": ANN}

    for role in (Role.OP, Role.PUBLIC, Role.ADMIN, Role.USER):
        write(path, {"ann": User("ann", role, HASH), "bob": User("bob", role, HASH)})
        assert users.users()["ann"].role is role
    write(path, {"eve": User("eve", Role.USER, HASH)})
    assert list(users.users()) == ["eve"]


def test_unchanged_file_is_read_once(path: Path) -> None:
    users = UsersFile(path)

    assert users.users() is users.users()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text("{bad"),
        lambda path: path.write_text(users_text(role="root")),
        lambda path: path.write_text(users_text(role=[])),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["removed", "not JSON", "unknown role", "role is a list", "a folder"],
)
def test_damaged_file_keeps_the_last_users_and_is_logged(
    path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    users = UsersFile(path)
    before = users.users()
    damage(path)

    with caplog.at_level(logging.ERROR):
        assert users.users() == before

    (line,) = caplog.messages
    assert line.startswith(f"Keeping the previous users: the users file {path} cannot be used: ")
    assert "argon2" not in line


def test_repaired_file_is_read_again(path: Path) -> None:
    users = UsersFile(path)
    users.users()
    path.write_text("{bad")
    users.users()

    write(path, {"eve": User("eve", Role.USER, HASH)})

    assert list(users.users()) == ["eve"]


def test_error_for_a_missing_file_shows_how_to_create_it(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(InvalidUsersFile) as error:
            UsersFile(tmp_path / "none.json").users()

    assert str(error.value) == (
        f"the users file {tmp_path}/none.json cannot be used: No such file or directory."
        " Create it with: xcom-server user add NAME --role ROLE"
    )


def test_broken_file_is_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    users = UsersFile(path)
    known = users.users()
    path.write_text("broken")

    for _ in range(3):
        assert users.users() == known

    assert len(caplog.records) == 1
    path.unlink()
    assert users.users() == known
    assert len(caplog.records) == 2
    write(path, {})
    with caplog.at_level(logging.INFO):
        assert users.users() == {}
    assert caplog.records[-1].getMessage() == f"Reloaded the users file {path}."
