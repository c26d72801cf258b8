"""The tables: migrations arrive at what the code declares, and nothing starts on others."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from app.storage import schema
from app.storage.engine import open_engine
from app.storage.tables import metadata
from tests.conftest import ROOT


def test_migrations_arrive_at_the_declared_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    schema.upgrade(engine)

    assert schema.current(engine) == schema.HEAD


def test_the_code_knows_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(ROOT / "app" / "storage" / "migrations"))

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
