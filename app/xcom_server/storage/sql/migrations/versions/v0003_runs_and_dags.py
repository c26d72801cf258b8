"""Add DAGs, the fields of DAG runs and task instances, and the tries of task instances."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from xcom_server import clock

revision = "0003"
down_revision = "0002"


def _name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _text() -> sa.Text:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _text()) for name in names]


def _filled(**defaults: str) -> list[sa.Column[str]]:
    return [
        sa.Column(name, _text(), nullable=False, server_default=default)
        for name, default in defaults.items()
    ]


def _counts(**defaults: int) -> list[sa.Column[int]]:
    return [
        sa.Column(name, sa.Integer, nullable=False, server_default=str(default))
        for name, default in defaults.items()
    ]


def _dates(*names: str) -> list[sa.Column]:  # type: ignore[type-arg]
    return [sa.Column(name, sa.DateTime(timezone=True)) for name in names]


def _ids(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _name(250), nullable=False) for name in names]


def upgrade() -> None:
    """Add the tables and columns; existing DAG runs and task instances become successful."""
    op.create_table(
        "dag",
        *_ids("dag_id"),
        sa.Column("is_paused", sa.Boolean, server_default=sa.false()),
        sa.Column("is_stale", sa.Boolean, nullable=False, server_default=sa.false()),
        *_texts("display_name"),
        *_filled(owners="airflow", tags=""),
        *_dates("next_dagrun"),
        *_filled(definition="{}"),
        sa.Column("script", sa.Text),
        sa.Column("version_id", _name(36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_counts(triggered=0, runs=0, task_instances=0),
        sa.PrimaryKeyConstraint("dag_id", name="pk_dag"),
    )
    for column in (
        sa.Column("id", _name(36), nullable=False, server_default=""),
        *_filled(state="success", run_type="manual"),
        *_dates("data_interval_start", "data_interval_end", "queued_at", "start_date", "end_date"),
        sa.Column("duration", sa.Float),
        *_dates("last_scheduling_decision", "updated_at"),
        *_texts("triggered_by", "triggering_user_name"),
        *_filled(conf="{}"),
        *_texts("note"),
        *_counts(number=0),
        sa.Column("step", sa.Integer),
        *_dates("step_at"),
    ):
        op.add_column("dag_run", column)
    for column in (
        sa.Column("id", _name(36), nullable=False, server_default=""),
        sa.Column("state", _text(), server_default="success"),
        *_dates("start_date", "end_date"),
        sa.Column("duration", sa.Float),
        *_counts(try_number=1, max_tries=0),
        *_texts("display_name"),
        *_filled(hostname="", unixname="airflow", pool="default_pool"),
        *_counts(pool_slots=1),
        *_filled(queue="default"),
        *_counts(priority_weight=1),
        *_texts("operator", "operator_name"),
        *_dates("queued_when", "scheduled_when", "updated_at"),
        sa.Column("pid", sa.Integer),
        *_texts("executor"),
        *_filled(executor_config="{}"),
        *_texts("note", "rendered_map_index"),
        *_filled(details="{}"),
    ):
        op.add_column("task_instance", column)
    key = ("dag_id", "task_id", "run_id", "map_index")
    op.create_table(
        "task_try",
        *_ids("dag_id", "task_id", "run_id"),
        sa.Column("map_index", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("try_number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("record", sa.Text),
        sa.Column("log", sa.Text),
        sa.PrimaryKeyConstraint(*key, "try_number", name="pk_task_try"),
        sa.ForeignKeyConstraint(
            key,
            [f"task_instance.{name}" for name in key],
            name="fk_task_try_task_instance",
            ondelete="CASCADE",
        ),
    )
    _fill()
    op.create_index("ix_dag_run_id", "dag_run", ["id"])
    op.create_index("ix_dag_run_dag_id_id", "dag_run", ["dag_id", "id"])
    op.create_index("ix_dag_run_dag_id_logical_date", "dag_run", ["dag_id", "logical_date"])
    for index, name, condition in (
        ("ix_dag_run_step_at", "step_at", sa.text("step_at IS NOT NULL")),
        ("ix_dag_run_running", "dag_id", sa.text("state = 'running'")),
    ):
        op.create_index(
            index, "dag_run", [name], sqlite_where=condition, postgresql_where=condition
        )
    op.create_index(
        "ix_task_instance_run", "task_instance", ["dag_id", "run_id", "map_index", "id"]
    )
    for columns in (
        ["dag_id", "id"],
        ["dag_id", "map_index", "id"],
        ["id"],
        ["map_index", "id"],
    ):
        op.create_index("_".join(["ix_task_instance", *columns]), "task_instance", columns)


def _fill() -> None:
    """Give existing rows ids in the order of their keys, dates, and their DAGs."""
    _number(
        "dag_run",
        ("dag_id", "run_id"),
        "data_interval_start = logical_date, data_interval_end = logical_date,"
        " queued_at = dag_run.run_after, start_date = dag_run.run_after,"
        " end_date = dag_run.run_after, duration = 0, updated_at = dag_run.run_after,"
        f" run_type = {_run_type()}",
        "dag_run",
    )
    _number(
        "task_instance",
        ("dag_id", "run_id", "task_id", "map_index"),
        "duration = 0, start_date = numbered.run_after, end_date = numbered.run_after,"
        " updated_at = numbered.run_after, rendered_map_index = CASE WHEN"
        " task_instance.map_index >= 0 THEN CAST(task_instance.map_index AS VARCHAR) END",
        "task_instance JOIN dag_run USING (dag_id, run_id)",
    )
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT dag_id, count(*) AS runs, (SELECT count(*) FROM task_instance"
            " WHERE task_instance.dag_id = dag_run.dag_id) AS task_instances"
            " FROM dag_run GROUP BY dag_id ORDER BY dag_id"
        )
    ).all()
    columns: list[sa.ColumnClause[Any]] = [
        sa.column(name) for name in ("dag_id", "version_id", "created_at", "runs", "task_instances")
    ]
    columns[2] = sa.column("created_at", sa.DateTime(timezone=True))
    now = clock.now()
    if rows:
        connection.execute(
            sa.table("dag", *columns).insert(),
            [
                {
                    "dag_id": dag_id,
                    "version_id": clock.new_id(),
                    "created_at": now,
                    "runs": runs,
                    "task_instances": task_instances,
                }
                for dag_id, runs, task_instances in rows
            ],
        )


def _run_type() -> str:
    """Return the type of a run by the prefix of its id."""
    types = ("scheduled", "backfill", "asset_triggered")
    prefixes = {f"{name}__": name for name in types} | {"dataset_triggered__": types[2]}
    cases = [
        f"WHEN substr(dag_run.run_id, 1, {len(prefix)}) = '{prefix}' THEN '{name}'"
        for prefix, name in prefixes.items()
    ]
    return f"CASE {' '.join(cases)} ELSE 'manual' END"


def _number(table: str, key: tuple[str, ...], values: str, source: str) -> None:
    """Set the ids of a table's rows, and other columns: each row is written once.

    The ids are UUIDs of version 7 with a time of 0 and the row's number. `values` can use the
    columns of `source`, which contains each row of the table.
    """
    digits = (
        "printf('%012x', numbered.place)"
        if op.get_bind().dialect.name == "sqlite"
        else "lpad(to_hex(numbered.place), 12, '0')"
    )
    is_same = " AND ".join(f"numbered.{name} = {table}.{name}" for name in key)
    order = ", ".join(key)
    op.execute(
        f"UPDATE {table} SET id = '00000000-0000-7000-8000-' || {digits}, {values}"
        f" FROM (SELECT {order}, run_after,"
        f" row_number() OVER (ORDER BY {order}) AS place FROM {source})"
        f" AS numbered WHERE {is_same}"
    )
