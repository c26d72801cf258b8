"""Databases for tests: created, emptied, and filled with the recorded data set."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text
from xcom_server import seed_file
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.sql.tables import metadata

from tests.support.paths import PARITY, ROOT

MIGRATIONS = ROOT / "app" / "xcom_server" / "storage" / "sql" / "migrations"


def seed_texts() -> list[str]:
    """Return the recorded data set as seed files.

    Its one NaN is not valid JSON and is left out (docs/differences.md).
    """
    entries = json.loads((PARITY / "airflow-2.10.5.seed.json").read_text())
    kept = [entry for entry in entries if entry["key"] != "float_nan"]
    return [(PARITY / "parents.json").read_text(), json.dumps(kept)]


def load(url: str, *texts: str) -> None:
    """Load the texts of seed files into a database whose schema is current."""
    backend = open_backend(url)
    for each in texts:
        SqlXComStore(backend).load(seed_file.read(each))
    backend.close()


def emptied(url: str) -> str:
    """Recreate the tables of a database and return its URL."""
    drop_tables(url)
    backend = open_backend(url)
    schema.upgrade(backend)
    backend.close()
    return url


def clear(file: Path) -> None:
    """Delete all rows of an SQLite database."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(f"DELETE FROM {table.name}")


def drop_tables(url: str) -> None:
    """Drop all tables of a database, also those of the emulator."""
    backend = open_backend(url)
    backend.create_missing()
    metadata.drop_all(backend.engine)
    with backend.engine.begin() as connection:
        names = inspect(connection).get_table_names()
        for name in (each for each in names if each.startswith(("emulator_", "alembic_"))):
            connection.execute(text(f"DROP TABLE {name}"))
    backend.close()


def migrate(connection: Connection, revision: str) -> None:
    """Upgrade the schema to a revision, which may be an older one than the server's."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
