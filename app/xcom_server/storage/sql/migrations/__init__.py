"""The history of the tables, one file a change, applied by alembic."""
