"""`xcom-server db`, `seed` and `export`: upgrade the schema, load entries, export them."""

import io
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TextIO

import click

from xcom_server import seed_file
from xcom_server.errors import SchemaMismatch
from xcom_server.settings import Settings
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.opening import Access, connected_backend, connected_store
from xcom_server.storage.sql import schema
from xcom_server.storage.store import SeedRow, XComStore

MANY_ENTRIES = 10_000  # `seed` shows a progress bar for more rows than this


@click.group()
def db() -> None:
    """Manage the schema of the database at XCOM_DATABASE_URL."""


@db.command()
def upgrade() -> None:
    """Upgrade the schema to the version that this server needs."""
    with _backend("create") as backend:
        before = schema.current(backend)
        schema.upgrade(backend)
    after = schema.HEAD
    click.echo(
        f"The database is at schema {after}."
        if before == after
        else f"Upgraded from schema {before or 'none'} to {after}."
    )


@db.command()
def current() -> None:
    """Print the schema version of the database.

    The output is `none` for a database without tables.
    """
    with _backend("read") as backend:
        click.echo(schema.current(backend) or "none")


@db.command()
def check() -> None:
    """Check that the schema is the one that this server needs.

    The exit status is 1 if it does not.
    """
    with _backend("read") as backend:
        found = schema.current(backend)
        if found != schema.HEAD:
            raise schema.mismatch(found)
        for difference in (differences := schema.differences(backend)):
            click.echo(difference, err=True)
        if differences:
            raise SchemaMismatch("The tables do not match this version's schema.")
    click.echo(f"The database is at schema {found}, and its tables match it.")


@click.command("seed")
@click.argument("files", nargs=-1, required=True, type=click.File(encoding="utf-8"))
def seed_command(files: tuple[TextIO, ...]) -> None:
    """Load DAGs, DAG runs or entries from JSON FILES.

    All files are loaded in one transaction. Use - for standard input.
    """
    rows = [row for file in files for row in _read(file)]
    with _store("create") as store:
        shown = sys.stderr if len(rows) > MANY_ENTRIES else io.StringIO()
        with click.progressbar(length=len(rows), label="Seeding", show_pos=True, file=shown) as bar:
            store.load(rows, bar.update)
    click.echo(f"Seeded {seed_file.counted(rows)}.")


@click.command()
@click.option("--dag-runs", is_flag=True, help="Export DAG runs and task instances instead.")
@click.option("--all", "everything", is_flag=True, help="Export DAGs, DAG runs and entries.")
def export(dag_runs: bool, everything: bool) -> None:
    """Write all entries to standard output, in the format of `seed`."""
    with _store("read") as store:
        entries = map(seed_file.entry_as_row, store.export_entries())
        runs = map(seed_file.run_as_row, store.export_runs())
        dags = map(seed_file.dag_as_row, store.export_dags())
        if everything:
            _write_object({"dags": dags, "dag_runs": runs, "entries": entries})
        elif dag_runs:
            _write_object({"dag_runs": runs})
        else:
            _write_list(entries)
            click.echo()


def _write_object(lists: Mapping[str, Iterable[dict[str, Any]]]) -> None:
    for number, (name, rows) in enumerate(lists.items()):
        click.echo(f'{", " if number else "{"}"{name}": ', nl=False)
        _write_list(rows)
    click.echo("}")


def _write_list(rows: Iterable[dict[str, Any]]) -> None:
    """Write a JSON list with a row a line."""
    click.echo("[", nl=False)
    for number, row in enumerate(rows):
        click.echo((",\n" if number else "\n") + json.dumps(row), nl=False)
    click.echo("\n]", nl=False)


def _read(file: TextIO) -> list[SeedRow]:
    try:
        return seed_file.read(file.read(), file.name)
    except UnicodeDecodeError:
        raise seed_file.InvalidSeedFile(f"{file.name}: not UTF-8") from None


def _backend(access: Access) -> AbstractContextManager[Backend]:
    return connected_backend(Settings.from_env().database_url, access)


def _store(access: Access) -> AbstractContextManager[XComStore]:
    return connected_store(Settings.from_env().database_url, access)
