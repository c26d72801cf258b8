"""`xcom-server db`, `seed` and `export`: what is stored, and in which tables."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from xcom_server import seed_file
from xcom_server.cli.errors import report_errors
from xcom_server.errors import SchemaMismatch
from xcom_server.settings import Settings
from xcom_server.storage.models import SeedEntry, SeedRow
from xcom_server.storage.opening import connected_backend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import XComStore

MANY_ENTRIES = 10_000
"""From how many rows on loading shows its progress."""


@click.group()
def db() -> None:
    """Manage the database schema."""


@db.command()
def upgrade() -> None:
    """Upgrade the schema of XCOM_DATABASE_URL to this version."""
    with report_errors(), connected_backend(Settings.from_env().database_url) as backend:
        before = schema.current(backend)
        schema.upgrade(backend)
    after = schema.HEAD
    click.echo(f"The database is at schema {after}."
               if before == after else f"Upgraded from schema {before or 'none'} to {after}.")


@db.command()
def current() -> None:
    """Print the schema version of XCOM_DATABASE_URL."""
    with report_errors(), connected_backend(Settings.from_env().database_url) as backend:
        click.echo(schema.current(backend) or "none")


@db.command()
def check() -> None:
    """Check that the schema matches this version; the exit status is 1 if it does not."""
    with report_errors(), connected_backend(Settings.from_env().database_url) as backend:
        found = schema.current(backend)
        if found != schema.HEAD:
            raise schema.mismatch(found)
        for difference in (differences := schema.differences(backend)):
            click.echo(difference, err=True)
        if differences:
            raise SchemaMismatch("The tables were changed by others.")
    click.echo(f"The database is at schema {found}, and its tables are as they should be.")


@click.command("seed")
@click.argument("files", nargs=-1, required=True, type=click.File(encoding="utf-8"))
def seed_command(files: tuple[TextIO, ...]) -> None:
    """Load entries or DAG runs from JSON FILEs (- is standard input), all or nothing."""
    with _store() as store:
        rows = [row for file in files for row in _read(file)]
        with _progress(len(rows)) as advance:
            store.load(rows, advance)
    entries = sum(isinstance(row, SeedEntry) for row in rows)
    click.echo(f"Seeded {_pluralize(entries, 'entry', 'entries')} and"
               f" {_pluralize(len(rows) - entries, 'DAG run', 'DAG runs')}.")


@click.command()
@click.option("--dag-runs", is_flag=True, help="Write DAG runs and task instances instead.")
def export(dag_runs: bool) -> None:
    """Write all entries to standard output, as a file that `seed` takes."""
    with _store() as store:
        if dag_runs:
            click.echo('{"dag_runs": ', nl=False)
        _echo_list(map(seed_file.run_as_row, store.export_runs()) if dag_runs
                   else map(seed_file.entry_as_row, store.export_entries()))
        click.echo("}" if dag_runs else "")


COMMANDS: dict[str, click.Command] = {"db": db, "export": export, "seed": seed_command}
"""The commands of this module by name."""


def _pluralize(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _echo_list(rows: Iterator[dict[str, Any]]) -> None:
    click.echo("[", nl=False)
    for number, row in enumerate(rows):
        click.echo((",\n" if number else "\n") + json.dumps(row), nl=False)
    click.echo("\n]", nl=False)


def _read(file: TextIO) -> list[SeedRow]:
    try:
        return seed_file.read(file.read(), file.name)
    except UnicodeDecodeError:
        raise seed_file.InvalidSeedFile(f"{file.name}: not UTF-8") from None


@contextmanager
def _progress(rows: int) -> Iterator[Callable[[int], None]]:
    if rows <= MANY_ENTRIES:
        yield lambda count: None
        return
    with click.progressbar(length=rows, label="Seeding", show_pos=True, file=sys.stderr) as bar:
        yield bar.update


@contextmanager
def _store() -> Iterator[XComStore]:
    with (report_errors(seed_file.InvalidSeedFile),
          connected_backend(Settings.from_env().database_url) as backend):
        schema.ensure_current(backend)
        yield SqlXComStore(backend)
