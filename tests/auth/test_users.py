"""The users file: validated on reading, and replaced atomically."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from xcom_server.auth.users import (
    MAX_NAME_LENGTH,
    InvalidUsersFile,
    Role,
    User,
    UsersFile,
    read,
    validate_username,
    write,
)

from tests.support.users import ANN, HASH, users_text


@pytest.mark.parametrize(
    "user",
    [
        ANN,
        User("bob", Role.ADMIN, HASH, frozenset()),
        User("Ünal 鍵", Role.PUBLIC, HASH),
        User("x" * MAX_NAME_LENGTH, Role.OP, HASH, frozenset({"etl", "ä/🙂 \n", "~a"})),
    ],
    ids=["any DAG", "no DAG", "non-ASCII name", "longest name"],
)
def test_written_users_are_read_back(tmp_path: Path, user: User) -> None:
    path = tmp_path / "users.json"

    write(path, {user.name: user, "eve": User("eve", Role.USER, HASH)})

    assert read(path) == {user.name: user, "eve": User("eve", Role.USER, HASH)}


def test_empty_users_file_can_be_written(tmp_path: Path) -> None:
    write(tmp_path / "users.json", {})

    assert read(tmp_path / "users.json") == {}
    assert UsersFile(tmp_path / "users.json").users() == {}


@pytest.mark.parametrize(
    ("mode_before", "mode"),
    [(None, 0o600), (0o600, 0o600), (0o640, 0o640), (0o644, 0o640), (0o666, 0o660)],
)
def test_new_file_is_private_and_existing_mode_is_kept(
    tmp_path: Path, mode_before: int | None, mode: int
) -> None:
    path = tmp_path / "users.json"
    if mode_before is not None:
        path.write_text("{}")
        path.chmod(mode_before)
    before = os.umask(0)
    try:
        write(path, {"ann": ANN})
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def fail_to_write(path: Path) -> None:
    with pytest.raises(TypeError):
        write(path, {"ann": User("ann", Role.VIEWER, b"no text")})  # type: ignore[arg-type]


def test_failed_write_leaves_the_file_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    write(path, {"ann": ANN})

    fail_to_write(path)

    assert read(path) == {"ann": ANN}


def test_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    fail_to_write(tmp_path / "users.json")

    assert list(tmp_path.iterdir()) == []


def test_write_to_a_full_disk_leaves_only_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "users.json"
    write(path, {"ann": ANN})
    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(InvalidUsersFile, match="cannot be used: No space left on device"):
        write(path, {})

    assert read(path) == {"ann": ANN}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not JSON"),
        ("{bad", "not JSON"),
        ('{"users": NaN}', "not JSON: NaN"),
        ('{"users": {"ann": {}, "ann": {}}}', "not JSON: the duplicate key 'ann'"),
        ("[" * 100_000, "not JSON: nesting"),
        ("[]", "it must be a JSON object with an object `users`"),
        ("{}", "it must be a JSON object with an object `users`"),
        ('"users"', "it must be a JSON object with an object `users`"),
        ("null", "it must be a JSON object with"),
        ('{"users": []}', "it must be a JSON object with an object `users`"),
        ('{"users": null}', "it must be a JSON object with an object `users`"),
    ],
)
def test_file_without_users_is_rejected(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "users.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(InvalidUsersFile) as error:
        UsersFile(path).users()

    assert str(error.value).startswith(f"the users file {path} cannot be used: {words}")
    assert "\n" not in str(error.value)


def test_file_that_is_not_utf_8_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_bytes(b'{"users": {"\xff": {}}}')

    with pytest.raises(InvalidUsersFile, match=r"users\.json cannot be used: 'utf-8' codec"):
        UsersFile(path).users()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"role": "root"}, "role must be one of public, viewer, user, op, admin"),
        ({"role": "Viewer"}, "role must be one of"),
        ({"role": None}, "role must be one of"),
        ({"role": 1}, "role must be one of"),
        ({"role": []}, "role must be one of"),
        ({"role": {}}, "role must be one of"),
        ({"role": ["viewer"]}, "role must be one of"),
        (
            {"password": "secret"},
            "password must be an argon2 hash, as `xcom-server user add` writes it",
        ),
        ({"password": ""}, "password must be an argon2 hash"),
        ({"password": None}, "password must be an argon2 hash"),
        ({"password": 5}, "password must be an argon2 hash"),
        ({"password": [HASH]}, "password must be"),
        ({"dags": "etl"}, "dags must be a list of DAG ids"),
        ({"dags": {}}, "dags must be a list of DAG ids"),
        ({"dags": [1]}, "dags must be a list of DAG ids"),
        ({"dags": ["etl", None]}, "dags must be a list of DAG ids"),
        ({"dag": ["etl"]}, "must be an object with only role, password and dags"),
        ({"Role": "admin"}, "must be an object with only role, password and dags"),
    ],
)
def test_error_names_the_invalid_user_and_field(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    path = tmp_path / "users.json"
    path.write_text(users_text("ann", **fields))

    with pytest.raises(InvalidUsersFile) as error:
        read(path)

    assert str(error.value).startswith(f"the users file {path} cannot be used: user 'ann': {words}")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("fields", [[], "viewer", None, 5])
def test_error_names_a_user_that_is_not_an_object(tmp_path: Path, fields: Any) -> None:
    path = tmp_path / "users.json"
    path.write_text(json.dumps({"users": {"ann": fields}}))

    with pytest.raises(
        InvalidUsersFile, match="user 'ann': must be an object with only role, password and dags"
    ):
        read(path)


@pytest.mark.parametrize("missing", ["role", "password"])
def test_error_names_a_user_without_a_role_or_password(tmp_path: Path, missing: str) -> None:
    fields = {"role": "viewer", "password": HASH}
    del fields[missing]
    path = tmp_path / "users.json"
    path.write_text(json.dumps({"users": {"ann": fields}}))

    with pytest.raises(InvalidUsersFile, match=f"user 'ann': {missing} must be"):
        read(path)


@pytest.mark.parametrize(
    "name",
    ["", "a:b", ":", "a\n", "a\0", "\x1b[2J", "\u202e", "\ud800", "x" * (MAX_NAME_LENGTH + 1)],
)
def test_invalid_user_name_is_rejected(tmp_path: Path, name: str) -> None:
    path = tmp_path / "users.json"
    path.write_text(users_text(name))

    words = "1 to 250 printable characters and no colon"
    with pytest.raises(InvalidUsersFile, match=words) as error:
        validate_username(name)
    with pytest.raises(InvalidUsersFile):
        read(path)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 2 * MAX_NAME_LENGTH + 100


def test_repr_of_a_user_never_shows_the_hash() -> None:
    text_of_user = repr(User("ann", Role.VIEWER, HASH))

    assert "ann" in text_of_user
    assert "argon2" not in text_of_user
    assert "argon2" not in str({"ann": ANN})


@pytest.mark.parametrize(
    ("role", "may_read", "may_write"),
    [
        ("public", False, False),
        ("viewer", True, False),
        ("user", True, True),
        ("op", True, True),
        ("admin", True, True),
    ],
)
def test_roles_permit_reads_and_writes(role: str, may_read: bool, may_write: bool) -> None:
    assert (Role(role).may_read, Role(role).may_write) == (may_read, may_write)


def test_roles_are_those_of_airflow() -> None:
    assert [str(role) for role in Role] == ["public", "viewer", "user", "op", "admin"]


def test_write_keeps_the_mode_and_a_symbolic_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    path.chmod(0o640)

    write(link, {})

    assert link.is_symlink()
    assert read(path) == {}
    assert path.stat().st_mode & 0o777 == 0o640
