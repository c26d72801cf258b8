"""The tries of a task instance: the record of one before the current one, and their logs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import SeedTaskInstance, TaskInstance, TaskKey, Try

DATE = datetime(2024, 1, 1, tzinfo=UTC)


def test_try_has_its_own_fields_and_dates() -> None:
    record = {"state": "failed", "start_date": "2024-01-02T00:00:00Z", "end_date": None}
    fields: dict[str, Any] = dict.fromkeys(TaskInstance._fields)
    current = TaskInstance(**fields)._replace(state="success", end_date=DATE, queue="q")

    found = Try(1, json.dumps(record)).of(current)

    assert (found.try_number, found.state, found.queue) == (1, "failed", "q")
    assert (found.start_date, found.end_date) == (datetime(2024, 1, 2, tzinfo=UTC), None)


@pytest.mark.parametrize(
    ("try_number", "log"),
    [(1, "first"), (2, "second"), (3, None), (0, None), (-1, None), (2**31, None), (10**30, None)],
)
def test_log_of_a_try(store: XComStore, try_number: int, log: str | None) -> None:
    logs = {1: "first", 2: "second"}
    row = SeedTaskInstance("t", -1, {"try_number": 2}, logs, [])
    store.load([SeedRun("", "etl", "r", DATE, DATE, [row], {})])

    assert store.task_instances.log(TaskKey("etl", "r", "t"), try_number) == log
