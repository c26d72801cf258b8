"""The tables: migrations arrive at what the code declares, and nothing starts on others."""

from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from xcom_server.storage.database.engine import for_writing, open_engine
from xcom_server.storage.database.executor import Database
from xcom_server.storage.models import XComFilter, XComKey
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import XComStore
from xcom_server.storage.sql.tables import metadata

from tests.conftest import ROOT

FIRST_SCHEMA_ROWS = [
    "INSERT INTO dag_run VALUES ('d', 'r', NULL, '2024-01-01 00:00:00+00:00')",
    "INSERT INTO task_instance VALUES ('d', 't', 'r', -1)",
    "INSERT INTO xcom VALUES"
    " ('d', 't', 'r', -1, 'k', '2024-05-06 07:08:09.000000+00:00', '{\"a\": 1}'),"
    " ('d', 't', 'r', -1, 'k2', '2024-05-06 07:08:09.000000+00:00', 'null')",
]


def migrate(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "app" / "xcom_server" / "storage" / "sql" / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def test_migrations_arrive_at_the_declared_tables(engine: Engine) -> None:
    assert schema.differences(engine) == []


def test_a_database_of_the_first_released_schema_keeps_its_entries(engine: Engine) -> None:
    metadata.drop_all(engine)
    with for_writing(engine).begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        migrate(connection, "0001")
        for statement in FIRST_SCHEMA_ROWS:
            connection.execute(text(statement))

    schema.upgrade(engine)

    store = XComStore(Database(engine))
    entry = store.get(XComKey("d", "r", "t", -1, "k"))
    assert (entry.value, entry.timestamp, entry.version) == (
        '{"a": 1}', datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), 0)
    assert store.list(XComFilter(dag_id="d"), limit=1).total_entries == 2
    assert schema.differences(engine) == []


def test_tables_that_others_changed_are_told(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE xcom ADD COLUMN other INTEGER"))

    assert "other" in schema.differences(engine)[0]


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    schema.upgrade(engine)

    assert schema.current(engine) == schema.HEAD


def test_the_code_knows_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(ROOT / "app" / "xcom_server" / "storage" / "sql" / "migrations"))

    assert scripts.get_heads() == [schema.HEAD]


def test_an_embedded_database_upgrades_itself(tmp_path: object) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new.db")
    schema.prepare(engine)

    assert schema.current(engine) == schema.HEAD
    engine.dispose()


def test_another_database_is_its_operators_to_upgrade(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))

    with pytest.raises(schema.SchemaMismatch, match="Run: xcom-server db upgrade"):
        schema.prepare(engine)
    engine.dispose()


def test_a_schema_of_the_future_is_not_touched(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for bring_up in (schema.prepare, schema.upgrade):
        with pytest.raises(schema.SchemaMismatch, match="9999, which a newer server made"):
            bring_up(engine)
