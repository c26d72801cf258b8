"""Checks before the first worker starts; one that fails ends the start with one line."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xcom_server.auth.tokens import InvalidKeyFile, load_or_create_key
from xcom_server.auth.users import InvalidUsersFile, UsersFile
from xcom_server.errors import DatabaseUnusable, SchemaMismatch
from xcom_server.server.bind_check import InsecureBind, refuse_public_bind
from xcom_server.settings import Settings, SettingsError
from xcom_server.storage.opening import connected_backend
from xcom_server.storage.sql import schema


def check(settings: Settings, addresses: Iterable[Any], workers: int) -> None:
    """Check addresses, users, the token key and the database; the key is created if missing."""
    check_addresses(settings, addresses)
    if settings.auth == "users":
        UsersFile(settings.users_file).users()
        load_or_create_key(Path(settings.token_key_file))
    check_database(settings.database_url, workers)


def check_addresses(settings: Settings, addresses: Iterable[Any]) -> None:
    """Raise InsecureBind for the first address that is not allowed."""
    for address in addresses:
        refuse_public_bind(settings, address)


def check_database(url: str, workers: int) -> None:
    """Check the schema, and create it in an empty SQLite file.

    Raises DatabaseUnusable and SchemaMismatch.
    """
    with connected_backend(url) as backend:  # closed after: connections must not cross a fork
        if backend.is_in_memory and workers > 1:
            raise DatabaseUnusable(
                f"{url} is a database in memory, which each of the {workers} workers would have"
                " for itself. Run one worker (--workers 1), or store in a file.")
        schema.ensure_current(backend)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn errors that an operator can fix into one line on standard error and exit status 1."""
    try:
        yield
    except (SettingsError, InsecureBind, InvalidUsersFile, InvalidKeyFile, DatabaseUnusable,
            SchemaMismatch) as error:
        sys.exit(f"xcom-server: {error}")
