"""How alembic reaches the database: over the connection that xcom_server.storage.sql.schema hands it."""

from alembic import context

from xcom_server.storage.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
