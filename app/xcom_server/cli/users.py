"""`xcom-server user`: add, change, remove and list the users in the users file."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from xcom_server.auth import users as users_file
from xcom_server.auth.passwords import MAX_PASSWORD_BYTES, hash_password, matches
from xcom_server.auth.users import InvalidUsersFile, Role, User, Users, validate_username
from xcom_server.settings import Settings


@click.group("user")
def users() -> None:
    """Manage the users in XCOM_USERS_FILE.

    A running server applies each change immediately.
    """


@users.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    required=True,
    help="What the user may do. public: nothing; viewer: read; user, op, admin: read and write.",
)
@click.option(
    "--dag",
    "dag_ids",
    multiple=True,
    metavar="DAG_ID",
    help="Limit the user to this DAG. Repeat the option for more DAGs.",
)
@click.option("--all-dags", is_flag=True, help="With --replace, allow the user all DAGs again.")
@click.option("--replace", is_flag=True, help="Change an existing user.")
def add(name: str, role: str, dag_ids: tuple[str, ...], all_dags: bool, replace: bool) -> None:
    """Add the user NAME.

    On a terminal, the command prompts for the password; otherwise it reads it from standard input.
    With --replace, a new password ends the user's tokens; with the same one they stay valid.
    """
    validate_username(name)
    password = _password()
    password_hash = hash_password(password)
    with _locked() as (path, found):
        if name in found and not replace:
            raise InvalidUsersFile(f"user {name!r} already exists; --replace changes it")
        if name in found and matches(found[name].password_hash, password):
            password_hash = found[name].password_hash  # tokens contain a fingerprint of it
        kept = found[name].dag_ids if name in found and not all_dags else None
        user = User(name, Role(role), password_hash, frozenset(dag_ids) or kept)
        users_file.write(path, {**found, name: user})
    click.echo(f"{'Changed' if name in found else 'Added'} {name}, {role}.")


@users.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the user NAME and revoke their tokens."""
    with _locked() as (path, found):
        if name not in found:
            raise InvalidUsersFile(f"user {name!r} does not exist")
        users_file.write(path, {other: user for other, user in found.items() if other != name})
    click.echo(f"Removed {name}.")


@users.command("list")
def list_users() -> None:
    """List the users.

    Each line contains a name, a role and, for a limited user, the DAGs in parentheses.
    """
    for user in users_file.read(_path()).values():
        dags = "" if user.dag_ids is None else f" ({', '.join(sorted(user.dag_ids))})"
        click.echo(f"{user.name} {user.role}{dags}")


@contextmanager
def _locked() -> Iterator[tuple[Path, Users]]:
    """Yield the path and the users of the users file, and lock it against other commands."""
    path = _path()
    try:
        folder = os.open(path.parent, os.O_RDONLY)  # each change replaces the file itself
    except OSError as error:
        raise InvalidUsersFile(str(error)) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield path, _users_if_any(path)
    finally:
        os.close(folder)


def _path() -> Path:
    """Return the path of the users file; warn if the server does not read it."""
    settings = Settings.from_env()
    if settings.users:
        click.echo("Warning: with XCOM_USERS, the server does not read the users file.", err=True)
    return Path(settings.users_file)


def _users_if_any(path: Path) -> Users:
    return users_file.read(path) if path.exists() else {}


def _password() -> str:
    try:
        password: str = (
            click.prompt("Password", hide_input=True, confirmation_prompt=True)
            if sys.stdin.isatty()
            else sys.stdin.buffer.readline().decode().rstrip("\r\n")
        )
        size = len(password.encode())
    except UnicodeError:
        raise InvalidUsersFile("the password is not UTF-8") from None
    if not 1 <= size <= MAX_PASSWORD_BYTES:
        raise InvalidUsersFile(f"a password must have 1 to {MAX_PASSWORD_BYTES} bytes")
    return password
