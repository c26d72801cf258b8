"""Create the tables of DAG runs, task instances and XCom entries."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _ids(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _name(250), nullable=False) for name in names]


def _datetime(name: str, nullable: bool) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "dag_run",
        *_ids("dag_id", "run_id"),
        _datetime("logical_date", nullable=True),
        _datetime("run_after", nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "run_id", name="pk_dag_run"),
    )
    op.create_table(
        "task_instance",
        *_ids("dag_id", "task_id", "run_id"),
        sa.Column("map_index", sa.Integer, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint(
            "dag_id", "task_id", "run_id", "map_index", name="pk_task_instance"
        ),
        sa.ForeignKeyConstraint(
            ["dag_id", "run_id"],
            ["dag_run.dag_id", "dag_run.run_id"],
            name="fk_task_instance_dag_run",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "xcom",
        *_ids("dag_id", "task_id", "run_id"),
        sa.Column("map_index", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("key", _name(512), nullable=False),
        _datetime("timestamp", nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "task_id", "run_id", "map_index", "key", name="pk_xcom"),
        sa.ForeignKeyConstraint(
            ["dag_id", "task_id", "run_id", "map_index"],
            [
                "task_instance.dag_id",
                "task_instance.task_id",
                "task_instance.run_id",
                "task_instance.map_index",
            ],
            name="fk_xcom_task_instance",
            ondelete="CASCADE",
        ),
    )
