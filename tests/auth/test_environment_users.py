"""Users in XCOM_USERS: how the text is read, what is refused, and that no password is shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from xcom_server.auth.environment_users import EnvironmentUsers, InvalidUsers, open_users
from xcom_server.auth.passwords import MAX_PASSWORD_BYTES, PasswordAuthenticator
from xcom_server.auth.tokens import Tokens, load_or_create_key
from xcom_server.auth.users import Role, UsersFile
from xcom_server.errors import InvalidToken, Unauthenticated
from xcom_server.settings import Settings, SettingsError

from tests.support.passwords import HOME

KEY = b"0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann:secret:op", [("ann", "secret", "op")]),
        ("ann:secret:op,bob:x:viewer", [("ann", "secret", "op"), ("bob", "x", "viewer")]),
        (" ann:secret:op ,\n bob:x:viewer", [("ann", "secret", "op"), ("bob", "x", "viewer")]),
        ("ann:a:b::c:op", [("ann", "a:b::c", "op")]),
        ("ann:op:op", [("ann", "op", "op")]),
        ("ann: correct horse :op", [("ann", " correct horse ", "op")]),
        ("Ünal 鍵:鍵🙂:public", [("Ünal 鍵", "鍵🙂", "public")]),
        (f"a:{'x' * MAX_PASSWORD_BYTES}:admin", [("a", "x" * MAX_PASSWORD_BYTES, "admin")]),
    ],
)
def test_users_are_read_from_the_text(text: str, expected: list[tuple[str, str, str]]) -> None:
    users = EnvironmentUsers(text)
    authenticator = PasswordAuthenticator(users)

    assert list(users.users()) == [name for name, _, _ in expected]
    for name, password, role in expected:
        user = authenticator.authenticate(name, password, HOME)
        assert (user.name, user.role, user.dag_ids) == (name, Role(role), None)
        with pytest.raises(Unauthenticated):
            authenticator.authenticate(name, password + "x", HOME)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hidden", "user 1 must be NAME:PASSWORD:ROLE"),
        ("ann:hidden", "user 1 must be NAME:PASSWORD:ROLE"),
        ("ann:hidden:root", "user 1 must be NAME:PASSWORD:ROLE"),
        ("ann:hidden:Op", "user 1 must be NAME:PASSWORD:ROLE"),
        ("ann:hidden:", "user 1 must be NAME:PASSWORD:ROLE"),
        ("ann:hid,den:op", "user 1 must be NAME:PASSWORD:ROLE"),
        ("ann:hidden:op,", "user 2 must be NAME:PASSWORD:ROLE"),
        ("ann:hidden:op,,bob:x:op", "user 2 must be NAME:PASSWORD:ROLE"),
        ("ann::op", "the password of user 1 must have 1 to 1024 bytes"),
        ("ann:op", "user 1 must be NAME:PASSWORD:ROLE"),
        (f"ann:{'hidden' * 200}:op", "the password of user 1 must have 1 to 1024 bytes"),
        (":hidden:op", "the name of user 1 is invalid"),
        ("hid\0den:x:op", "the name of user 1 is invalid"),
        (f"{'hidden' * 50}:x:op", "the name of user 1 is invalid"),
        ("ann:hidden:op,ann:x:op", "user 2 has the name of another user"),
    ],
)
def test_error_has_the_position_but_no_part_of_the_text(text: str, words: str) -> None:
    with pytest.raises(InvalidUsers) as error:
        EnvironmentUsers(text)

    assert str(error.value).startswith(f"XCOM_USERS: {words}")
    assert "hid" not in str(error.value)
    assert "\n" not in str(error.value)


def test_password_is_in_no_repr() -> None:
    settings = Settings(users="ann:secret:op", auth="users")

    assert "secret" not in repr(settings)
    assert "secret" not in repr(EnvironmentUsers(settings.users).users())


def test_users_turn_authentication_on() -> None:
    assert Settings.from_env({"XCOM_USERS": "ann:secret:op"}).auth == "users"
    assert Settings.from_env({"XCOM_USERS": "ann:secret:op", "XCOM_AUTH": "users"}).auth == "users"
    assert Settings.from_env({"XCOM_USERS": ""}).auth == "none"
    assert Settings.from_env({"XCOM_USERS": "", "XCOM_AUTH": "none"}).auth == "none"


@pytest.mark.parametrize("auth", ["none", "any"])
def test_users_are_refused_if_other_clients_are_accepted_too(auth: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"XCOM_USERS": "ann:secret:op", "XCOM_AUTH": auth})

    assert str(error.value) == (
        f"XCOM_USERS requires credentials of its users, so XCOM_AUTH must not be {auth}."
    )


def test_users_file_is_only_used_without_the_setting(path: Path) -> None:
    assert isinstance(open_users("", path), UsersFile)
    assert list(open_users("eve:x:op", path).users()) == ["eve"]


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_check_runs_no_argon2_for_any_name(runs: Callable[[], int], name: str) -> None:
    """A slow check of unknown names only would reveal the others."""
    authenticator = PasswordAuthenticator(EnvironmentUsers("ann:secret:op"))

    with pytest.raises(Unauthenticated):
        authenticator.authenticate(name, "wrong", HOME)

    assert runs() == 0


def test_token_ends_with_another_password_and_is_valid_on_other_servers() -> None:
    users = EnvironmentUsers("ann:secret:op")
    token = Tokens(KEY, users, 600).issue(users.users()["ann"])

    again = EnvironmentUsers("bob:x:op,ann:secret:viewer")
    assert Tokens(KEY, again, 600).verify(token).role is Role.VIEWER
    with pytest.raises(InvalidToken):
        Tokens(KEY, EnvironmentUsers("ann:new:op"), 600).verify(token)


def test_key_is_in_memory_if_its_file_cannot_be_created(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "no" / "token.key"

    keys = {load_or_create_key(path, may_be_temporary=True) for _ in range(3)}

    assert [len(key) for key in keys] == [64]
    assert caplog.messages == [
        f"The token key file {path} cannot be created: No such file or directory."
        " Tokens are valid until this server stops."
    ]


def test_key_file_is_used_or_created_if_possible(tmp_path: Path) -> None:
    path = tmp_path / "token.key"

    assert load_or_create_key(path, may_be_temporary=True) == path.read_bytes().strip()
