"""How the commands report errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from xcom_server.errors import DatabaseUnusable, SchemaMismatch, SeedConflict, Unavailable
from xcom_server.settings import SettingsError


@contextmanager
def report_errors(*more: type[Exception]) -> Iterator[None]:
    """Turn errors that an operator can fix into one line on standard error and exit status 1.

    These are the errors of settings and databases, and `more`.
    """
    more += (SettingsError, DatabaseUnusable, SchemaMismatch, SeedConflict)
    try:
        yield
    except Unavailable as error:
        doubt = " Whether anything was stored is not known." if error.in_doubt else ""
        raise click.ClickException(error.reason + doubt) from None
    except more as error:
        raise click.ClickException(str(error)) from None
