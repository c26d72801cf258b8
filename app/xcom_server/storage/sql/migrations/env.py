"""Alembic's environment: migrations run over the connection that schema.py passes in."""

from alembic import context

from xcom_server.storage.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
