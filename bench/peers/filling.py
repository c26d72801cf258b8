"""Filling a peer's database with SQL: the same entries as this server's, in Airflow's tables."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from bench.data import KEYS, TASKS, Layout
from bench.peers import PostgresServer

INSTANCES = """
    CREATE TEMPORARY TABLE instance
    (number bigint, dag_id text, run_id text, task_id text, date timestamptz)"""

ENTRIES = f"""
    SELECT number * {KEYS} + nth AS number, dag_id, run_id, task_id,
           'key_' || to_char(nth, 'FM000') AS key,
           format('{{"path": "s3://bucket/part-%1$s.parquet", "rows": %1$s}}',
                  number * {KEYS} + nth) AS json,
           timestamptz '2024-01-01 00:00:00+00'
               + (number * {KEYS} + nth) * interval '1 millisecond' AS timestamp
    FROM instance CROSS JOIN generate_series(0, {KEYS - 1}) AS nth"""
"""All entries of the layout, generated from one row per task instance."""


def create_database(postgres: PostgresServer, name: str) -> None:
    """Create a database; an existing one with the same name is dropped."""
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}"'.encode())


def fill(conninfo: str, layout: Layout, statements: Sequence[str]) -> None:
    """Run the statements; the temporary table `instance` contains every task instance.

    Foreign keys are not checked, which would take longer than inserting the rows.
    """
    with psycopg.connect(conninfo) as connection:
        connection.execute("SET session_replication_role = replica")
        load_instances(connection, layout)
        for statement in statements:
            connection.execute(statement.encode())
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def xcom(value: str) -> str:
    """Return the INSERT of all entries; `value` is an SQL expression over the column `json`."""
    return f"""
    INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)
    SELECT dag_run.id, task_id, -1, key, dag_id, run_id, {value}, entry.timestamp
    FROM ({ENTRIES}) AS entry JOIN dag_run USING (dag_id, run_id)
    ORDER BY entry.number"""


def load_instances(connection: psycopg.Connection[Any], layout: Layout) -> None:
    """Create and fill the temporary table `instance`."""
    connection.execute(INSTANCES.encode())
    with connection.cursor().copy(b"COPY instance FROM STDIN") as copy:
        for row in _instances(layout):
            copy.write_row(row)
    connection.execute("ANALYZE instance")


def _instances(layout: Layout) -> Iterator[tuple[Any, ...]]:
    for number in range(layout.instances):
        yield number, *layout.instance(number), layout.date(number // TASKS % layout.runs)
