"""The schema of a database: reading its revision, upgrading it, comparing its tables."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from xcom_server.errors import SchemaMismatch
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.sql.tables import metadata

HEAD = "0003"  # the revision of the newest migration, as a test verifies


def mismatch(revision: str | None) -> SchemaMismatch:
    """Return the error for a database whose revision is not HEAD."""
    if revision is not None and revision > HEAD:
        return SchemaMismatch(
            f"The database is at schema {revision}, which a newer server created;"
            f" this one needs {HEAD}."
        )
    return SchemaMismatch(
        f"The database is at schema {revision or 'none'}, but this server needs"
        f" {HEAD}. Run: xcom-server db upgrade"
    )


def current(backend: Backend) -> str | None:
    """Return the revision of a database, None if it does not have this server's tables."""
    with backend.engine.connect() as connection:
        return _revision(connection)


def upgrade(backend: Backend) -> None:
    """Upgrade the tables to HEAD, and create a missing file; do nothing if they are current.

    Several processes may call this at the same time: a lock lets one at a time upgrade.  Raises
    SchemaMismatch for a newer revision.
    """
    backend.create_missing()
    with backend.writing.begin() as connection:
        backend.lift_time_limit(connection)
        backend.transaction_lock(connection, "xcom-server")
        revision = _revision(connection)
        if revision is not None and revision > HEAD:
            raise mismatch(revision)
        if revision != HEAD:
            _migrate(connection)


def ensure_current(backend: Backend, *, create: bool = True) -> None:
    """Make sure that the tables are at HEAD.

    The tables of an embedded database are upgraded, unless it is opened to read only, and created
    if `create`.  Otherwise raises SchemaMismatch, which names the command that the operator has to
    run.
    """
    revision = current(backend)
    if revision == HEAD:
        return
    is_missing = revision is None and not create
    if is_missing or backend.is_reading or not backend.upgrades_itself:
        raise mismatch(revision)
    upgrade(backend)


def differences(backend: Backend) -> list[str]:
    """Return the differences between the tables of a database and those that this code expects."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with backend.engine.connect() as connection:
        opts = {"compare_type": True, "include_name": _is_own}
        context = MigrationContext.configure(connection, opts=opts)
        return [str(difference) for difference in compare_metadata(context, metadata)]


def _is_own(name: str | None, kind: str, parents: Any) -> bool:
    """Return whether a name is not that of a table of the emulator, which has no migrations."""
    return kind != "table" or not (name or "").startswith("emulator_")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection) -> None:
    # Imported here because a server with current tables does not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
