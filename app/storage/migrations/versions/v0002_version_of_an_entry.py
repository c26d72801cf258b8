"""A version for each entry, which every write changes: what an ETag tells."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; entries that are stored already have version 0 until they are written."""
    op.add_column("xcom", sa.Column("version", sa.BigInteger, nullable=False, server_default="0"))
