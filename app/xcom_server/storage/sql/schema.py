"""Which version of the tables a database holds, and how it gets the one this code needs."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from xcom_server.storage.database.engine import for_writing
from xcom_server.storage.sql.tables import metadata

HEAD = "0002"
"""The revision of the newest migration; a test compares."""


class SchemaMismatch(RuntimeError):
    """The database holds other tables than this code needs; the text says what to run."""


def mismatch(found: str | None) -> SchemaMismatch:
    """Return what to say of a database at another revision than the newest."""
    if found is not None and found > HEAD:
        return SchemaMismatch(f"The database is at schema {found}, which a newer server made;"
                              f" this one knows {HEAD} and leaves it alone.")
    return SchemaMismatch(f"The database is at schema {found or 'none'}, this server needs {HEAD}."
                          " Run: xcom-server db upgrade")


def current(engine: Engine) -> str | None:
    """Return the revision a database is at, None where it holds none."""
    with engine.connect() as connection:
        return _revision(connection)


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest version; does nothing where they are.

    Several processes may do so at once: each waits for its turn. Raises SchemaMismatch for a
    version of the future.
    """
    with for_writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":  # one at a time; on SQLite the transaction waits
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('xcom-server'))"))
        found = _revision(connection)
        if found is not None and found > HEAD:
            raise mismatch(found)
        if found != HEAD:
            _migrate(connection)


def prepare(engine: Engine) -> None:
    """Make sure that the tables are the ones this code needs.

    The embedded database is brought up to date; any other one is its operator's to upgrade, and
    SchemaMismatch is raised with the command to run.
    """
    found = current(engine)
    if found == HEAD:
        return
    if engine.dialect.name != "sqlite" and (found is None or found < HEAD):
        raise mismatch(found)
    upgrade(engine)


def differences(engine: Engine) -> list[str]:
    """Return what a database at the newest version has that this code does not expect of it."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection) -> None:
    # Imported here because a server whose tables are up to date never needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
