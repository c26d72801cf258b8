"""`xcom-server user`: who there is in the users file, and what they may do."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from xcom_server.auth.passwords import MAX_PASSWORD_BYTES, hash_password
from xcom_server.auth.users import (
    InvalidUsersFile,
    Role,
    User,
    Users,
    read,
    validate_username,
    write,
)
from xcom_server.settings import Settings, SettingsError


@click.group("user")
def users() -> None:
    """Look after the users, who are kept in XCOM_USERS_FILE.

    A running server sees a change at once.
    """


@users.command()
@click.argument("name")
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True,
              help="What the user may do: public nothing, viewer read, user and op and admin all.")
@click.option("--dag", "dag_ids", multiple=True, metavar="DAG_ID",
              help="A DAG that exists for the user, and no other does; may be given again.")
@click.option("--all-dags", is_flag=True,
              help="Every DAG exists for the user: what a new user has, and what --replace keeps"
                   " from a user who has not.")
@click.option("--replace", is_flag=True, help="Change a user that there is.")
def add(name: str, role: str, dag_ids: tuple[str, ...], all_dags: bool, replace: bool) -> None:
    """Add a user NAME, whose password is asked for, or read from standard input."""
    with _clear_errors():
        validate_username(name)
        password_hash = hash_password(_password())
        with _locked() as (path, found):
            if name in found and not replace:
                raise InvalidUsersFile(f"there is a user {name!r} already; --replace changes them")
            kept = found[name].dag_ids if name in found and not all_dags else None
            write(path, {**found, name: User(name, Role(role), password_hash,
                                             frozenset(dag_ids) or kept)})
    click.echo(f"{'Changed' if name in found else 'Added'} {name}, {role}.")


@users.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the user NAME; their tokens are no good any more."""
    with _clear_errors(), _locked() as (path, found):
        if name not in found:
            raise InvalidUsersFile(f"there is no user {name!r}")
        write(path, {other: user for other, user in found.items() if other != name})
    click.echo(f"Removed {name}.")


@users.command("list")
def list_users() -> None:
    """List the users with their roles, and their DAGs where those are limited."""
    with _clear_errors():
        for user in _found(Path(Settings.from_env().users_file)).values():
            dags = "" if user.dag_ids is None else f" ({', '.join(sorted(user.dag_ids))})"
            click.echo(f"{user.name} {user.role}{dags}")


@contextmanager
def _locked() -> Iterator[tuple[Path, Users]]:
    """Yield the users file and who is in it, while no other command changes it."""
    path = Path(Settings.from_env().users_file)
    folder = os.open(path.parent, os.O_RDONLY)  # the file itself is another one after each change
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield path, _found(path)
    finally:
        os.close(folder)


def _found(path: Path) -> Users:
    return read(path) if path.exists() else {}


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what an operator can mend into one line on standard error and exit status 1."""
    try:
        yield
    except (InvalidUsersFile, SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _password() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        try:
            password = sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidUsersFile("the password on standard input is not UTF-8") from None
    if not 1 <= len(password.encode(errors="surrogatepass")) <= MAX_PASSWORD_BYTES:
        raise InvalidUsersFile(f"a password has 1 to {MAX_PASSWORD_BYTES} bytes")
    return password
