"""Add a version to each entry, which every write changes, and an index of keys for counting."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column and the index; existing entries have version 0 until their next write."""
    op.add_column("xcom", sa.Column("version", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_xcom_key", "xcom", ["key"])
