"""The schema: migrations produce the declared tables, and no other schema is accepted."""

from datetime import UTC, datetime

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text
from xcom_server.errors import SchemaMismatch
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.sql.tables import metadata

from tests.support.databases import MIGRATIONS, migrate
from tests.support.stores import OpenBackend

FIRST_SCHEMA_ROWS = [
    "INSERT INTO dag_run VALUES ('d', 'r', NULL, '2024-01-01 00:00:00+00:00')",
    "INSERT INTO task_instance VALUES ('d', 't', 'r', -1)",
    "INSERT INTO xcom VALUES"
    " ('d', 't', 'r', -1, 'k', '2024-05-06 07:08:09.000000+00:00', '{\"a\": 1}'),"
    " ('d', 't', 'r', -1, 'k2', '2024-05-06 07:08:09.000000+00:00', 'null')",
]


def test_migrations_produce_the_declared_tables(backend: Backend) -> None:
    assert schema.differences(backend) == []


def test_upgrade_from_the_first_schema_keeps_the_entries(backend: Backend) -> None:
    metadata.drop_all(backend.engine)
    with backend.writing.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        migrate(connection, "0001")
        for statement in FIRST_SCHEMA_ROWS:
            connection.execute(text(statement))

    schema.upgrade(backend)

    store = SqlXComStore(backend)
    entry = store.get(XComKey("d", "r", "t", -1, "k"))
    assert (entry.value, entry.timestamp, entry.etag) == (
        '{"a": 1}',
        datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        0,
    )
    assert store.list(Filter.of(dag_id="d"), limit=1).total_entries == 2
    assert schema.differences(backend) == []


def test_upgrade_gives_runs_and_task_instances_the_fields_of_registered_ones(
    backend: Backend,
) -> None:
    metadata.drop_all(backend.engine)
    date = datetime(2024, 1, 1, tzinfo=UTC)
    ids = ["scheduled__1", "backfill__1", "dataset_triggered__1", "manual__1", "other"]
    with backend.writing.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        migrate(connection, "0002")
        for run_id in ids:
            for statement in (
                "INSERT INTO dag_run VALUES ('d', :run, NULL, '2024-01-01 00:00:00.000000+00:00')",
                "INSERT INTO task_instance VALUES ('d', 't', :run, 2)",
            ):
                connection.execute(text(statement), {"run": run_id})

    schema.upgrade(backend)

    store = SqlXComStore(backend)
    runs = store.runs.list(Filter.of("d"), limit=9)
    assert {run.run_id: run.run_type for run in runs.entries} == dict(
        zip(ids, ["scheduled", "backfill", "asset_triggered", "manual", "manual"], strict=True)
    )
    assert {(run.state, run.run_after, run.end_date) for run in runs.entries} == {
        ("success", date, date)
    }
    instances = store.task_instances.list(Filter.of("d"), limit=9)
    assert (runs.total_entries, instances.total_entries) == (5, 5)
    assert {
        (each.state, each.start_date, each.duration, each.rendered_map_index)
        for each in instances.entries
    } == {("success", date, 0.0, "2")}
    assert len({each.id for each in instances.entries}) == 5


def test_changed_tables_are_reported(backend: Backend) -> None:
    with backend.engine.begin() as connection:
        connection.execute(text("ALTER TABLE xcom ADD COLUMN other INTEGER"))

    assert "other" in schema.differences(backend)[0]


def test_upgrading_again_changes_nothing(backend: Backend) -> None:
    schema.upgrade(backend)

    assert schema.current(backend) == schema.HEAD


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))

    assert scripts.get_heads() == [schema.HEAD]


def test_sqlite_database_is_upgraded_automatically(
    tmp_path: object, open_backend: OpenBackend
) -> None:
    backend = open_backend(f"sqlite:///{tmp_path}/new.db")
    backend.create_missing()
    schema.ensure_current(backend)

    assert schema.current(backend) == schema.HEAD


def test_postgresql_database_must_be_upgraded_by_command(
    postgres_url: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(postgres_url)
    metadata.drop_all(backend.engine)
    with backend.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))

    with pytest.raises(SchemaMismatch, match="Run: xcom-server db upgrade"):
        schema.ensure_current(backend)


def test_newer_schema_is_rejected(backend: Backend) -> None:
    with backend.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for prepare in (schema.ensure_current, schema.upgrade):
        with pytest.raises(SchemaMismatch, match="9999, which a newer server created"):
            prepare(backend)
