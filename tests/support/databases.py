"""Databases for tests: created, emptied, and filled with the recorded data set."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text
from xcom_server import seed_file
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.sql.tables import metadata

from tests.support.paths import PARITY, ROOT

_TABLES: dict[str, object] = {}
"""What `_tables` returned after the tables of a URL were created."""

_COLUMNS_AND_INDEXES = b"""
    SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = current_schema()
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1
"""

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


def without_rows(url: str) -> str:
    """Delete all rows of a PostgreSQL database and return its URL.

    Its tables are recreated only if a test has changed them, because that takes 15 times as long.
    """
    if _TABLES.get(url) != _tables(url):
        emptied(url)
        _TABLES[url] = _tables(url)
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        connection.execute(f"TRUNCATE {names} RESTART IDENTITY".encode())
    return url


def _tables(url: str) -> object:
    """Return the columns and indexes of a PostgreSQL database, and the revision of its schema."""
    with psycopg.connect(_conninfo(url), autocommit=True) as connection:
        found = connection.execute(_COLUMNS_AND_INDEXES).fetchall()
        has_revision = any("alembic_version" in row[0] for row in found)
        revision = connection.execute("SELECT * FROM alembic_version") if has_revision else None
        return found, revision and revision.fetchall()


def _conninfo(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def filled_from(file: Path, backend: Backend) -> None:
    """Copy an SQLite file into a database in memory."""
    with closing(sqlite3.connect(file)) as source, closing(backend.engine.raw_connection()) as into:
        source.backup(into.driver_connection)  # type: ignore[arg-type]


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
