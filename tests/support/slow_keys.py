"""Entries whose keys are slow to compare with a pattern."""

import sqlite3
from contextlib import closing

LETTERS = 480


def add_slow_keys(url: str, count: int) -> None:
    """Add entries whose keys are one letter and a number to an SQLite file."""
    date = "'2024-01-01 00:00:00.000000'"
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(
            f"INSERT INTO dag (dag_id, version_id, created_at) VALUES ('d', '', {date})"
        )
        connection.execute(
            f"INSERT INTO dag_run (dag_id, run_id, run_after) VALUES ('d', 'r', {date})"
        )
        connection.execute(
            "INSERT INTO task_instance (dag_id, run_id, task_id, map_index)"
            " VALUES ('d', 'r', 't', -1)"
        )
        connection.execute("UPDATE dag SET runs = 1, task_instances = 1")
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO xcom (dag_id, run_id, task_id, map_index, key, timestamp, value)"
            f" SELECT 'd', 'r', 't', -1, printf('%s%08d', ?, i), {date}, '1' FROM n",
            (count, "a" * LETTERS),
        )


def slow_pattern() -> str:
    """Return a pattern of five alternatives that no key matches, but which all nearly match."""
    return "|".join("a" * 240 + last for last in "bcdef")
