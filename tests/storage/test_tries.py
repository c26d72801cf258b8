"""The record of a try of a task instance before the current one."""

import json
from datetime import UTC, datetime
from typing import Any

from xcom_server.storage.task_instances import TaskInstance, Try

DATE = datetime(2024, 1, 1, tzinfo=UTC)


def test_try_has_its_own_fields_and_dates() -> None:
    record = {"state": "failed", "start_date": "2024-01-02T00:00:00Z", "end_date": None}
    fields: dict[str, Any] = dict.fromkeys(TaskInstance._fields)
    current = TaskInstance(**fields)._replace(state="success", end_date=DATE, queue="q")

    found = Try(1, json.dumps(record)).of(current)

    assert (found.try_number, found.state, found.queue) == (1, "failed", "q")
    assert (found.start_date, found.end_date) == (datetime(2024, 1, 2, tzinfo=UTC), None)
