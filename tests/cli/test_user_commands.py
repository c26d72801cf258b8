"""`xcom-server user`: its output and its errors, word for word."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from xcom_server.auth.users import User, read

from tests.support.cli import outcome, run_command

LENGTH_ERROR = "Error: a password must have 1 to 1024 bytes\n"
NAME_ERROR = "Error: a user name must have 1 to 250 printable characters and no colon, not "


def user(*arguments: str, password: str | bytes = "secret\n") -> tuple[int, str, str]:
    return outcome(run_command("user", *arguments, stdin=password))


def stored() -> dict[str, User]:
    return dict(read(Path("xcom-users.json")))


def test_add_list_and_remove_report_what_they_did() -> None:
    assert user("list") == (
        1,
        "",
        "Error: the users file xcom-users.json cannot be used: No such file or directory."
        " Create it with: xcom-server user add NAME --role ROLE\n",
    )
    assert user("add", "ann", "--role", "viewer") == (0, "Added ann, viewer.\n", "")
    assert user("add", "bob", "--role", "op", "--dag", "z", "--dag", "a")[0] == 0
    assert user("list") == (0, "ann viewer\nbob op (a, z)\n", "")
    assert user("add", "ann", "--role", "op", "--replace") == (0, "Changed ann, op.\n", "")
    assert user("remove", "ann") == (0, "Removed ann.\n", "")
    assert user("list") == (0, "bob op (a, z)\n", "")


@pytest.mark.parametrize(
    ("arguments", "password", "message"),
    [
        (["remove", "eve"], "", "Error: user 'eve' does not exist\n"),
        (
            ["add", "ann", "--role", "op"],
            "x\n",
            "Error: user 'ann' already exists; --replace changes it\n",
        ),
        (["add", "a:b", "--role", "op"], "x\n", f"{NAME_ERROR}'a:b'\n"),
        (["add", "", "--role", "op"], "x\n", f"{NAME_ERROR}''\n"),
        (["add", "x" * 251, "--role", "op"], "x\n", f"{NAME_ERROR}'{'x' * 250}'\n"),
        (["add", "eve", "--role", "op"], "\n", LENGTH_ERROR),
        (
            ["add", "eve", "--role", "op"],
            "x" * 1025,
            LENGTH_ERROR,
        ),
        (
            ["add", "eve", "--role", "op"],
            b"\xff\n",
            "Error: the password is not UTF-8\n",
        ),
    ],
)
def test_error_is_one_line_and_changes_nothing(
    arguments: list[str], password: str | bytes, message: str
) -> None:
    user("add", "ann", "--role", "viewer")
    before = stored()

    assert user(*arguments, password=password) == (1, "", message)
    assert stored() == before


@pytest.mark.parametrize("name", ["x", "x" * 250])
def test_name_may_have_1_to_250_characters(name: str) -> None:
    assert user("add", name, "--role", "op")[0] == 0
    assert [*stored()] == [name]


@pytest.mark.parametrize("password", ["x", "x" * 1024, "XX", "XX\r\nXX"])
def test_password_may_have_1_to_1024_bytes(password: str) -> None:
    assert user("add", "ann", "--role", "op", password=password)[0] == 0
    assert PasswordHasher().verify(stored()["ann"].password_hash, password.splitlines()[0])


def test_adding_a_user_keeps_the_others_and_their_limits() -> None:
    user("add", "ann", "--role", "viewer", "--dag", "etl")
    before = stored()

    user("add", "bob", "--role", "op")

    assert stored()["ann"] == before["ann"]
    assert stored()["bob"].dag_ids is None


def test_replaced_user_keeps_the_hash_of_the_same_password() -> None:
    """A token contains a fingerprint of the hash, and a new role must not end tokens."""
    user("add", "ann", "--role", "viewer")
    before = stored()["ann"].password_hash

    user("add", "ann", "--role", "op", "--replace")
    assert (stored()["ann"].role, stored()["ann"].password_hash) == ("op", before)
    user("add", "ann", "--role", "op", "--replace", password="new\n")
    assert PasswordHasher().verify(stored()["ann"].password_hash, "new")


def test_user_who_is_removed_and_added_again_gets_another_hash() -> None:
    user("add", "ann", "--role", "viewer")
    before = stored()["ann"].password_hash

    user("remove", "ann")
    user("add", "ann", "--role", "viewer")

    assert stored()["ann"].password_hash != before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "it must be a JSON object with an object `users`"),
        ('{"users": []}', "it must be a JSON object with an object `users`"),
        ('{"users": {"a": 5}}', "user 'a': must be an object with only role, password and dags"),
        (
            '{"users": {"a": {"x": 1}}}',
            "user 'a': must be an object with only role, password and dags",
        ),
        (
            '{"users": {"a": {"role": "root", "password": "$argon2"}}}',
            "user 'a': role must be one of public, viewer, user, op, admin",
        ),
        (
            '{"users": {"a": {"role": "op", "password": "plain"}}}',
            "user 'a': password must be an argon2 hash, as `xcom-server user add` writes it",
        ),
        (
            '{"users": {"a": {"role": "op", "password": "$argon2", "dags": [""]}}}',
            "user 'a': dags must be a list of DAG ids",
        ),
    ],
)
def test_bad_users_file_is_named_with_the_reason(content: str, reason: str) -> None:
    Path("xcom-users.json").write_text(content)

    assert user("list") == (
        1,
        "",
        f"Error: the users file xcom-users.json cannot be used: {reason}\n",
    )


def test_folder_that_does_not_exist_is_named() -> None:
    result = run_command(
        "user", "add", "ann", "--role", "op", stdin="x\n", environ={"XCOM_USERS_FILE": "no/users"}
    )

    assert outcome(result) == (1, "", "Error: [Errno 2] No such file or directory: 'no'\n")
