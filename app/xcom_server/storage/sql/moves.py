"""What a step changes in the task instances of a run."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, bindparam, delete, update

from xcom_server.scripts.entries import entry_texts
from xcom_server.scripts.plans import InstancePlan, Plan
from xcom_server.storage.sql import statements
from xcom_server.storage.sql.tables import task_instance, xcom

HOSTNAME = "xcom-server"  # of task instances that a script "ran"

_INSTANCE = ("dag_id", "task_id", "run_id", "map_index")


def seconds_between(start: datetime | None, end: datetime) -> float | None:
    """Return the duration in seconds, None without a start."""
    return None if start is None else (end - start).total_seconds()


def instance_key(row: Row[Any]) -> dict[str, Any]:
    """Return the columns that identify the task instance of a row."""
    return {name: getattr(row, name) for name in _INSTANCE}


def _of_instance(table: Table) -> list[ColumnElement[bool]]:
    """Return the conditions for the rows of a task instance; the parameters are `key_…`."""
    return [table.c[name] == bindparam(f"key_{name}") for name in _INSTANCE]


def update_instance(*columns: str) -> Any:
    """Return the UPDATE of columns of a task instance; the parameters are `key_…` and `new_…`."""
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    return update(task_instance).where(*_of_instance(task_instance)).values(new)


def parameters_of(row: Row[Any]) -> dict[str, Any]:
    """Return the parameters `key_…` of a task instance."""
    return {f"key_{name}": getattr(row, name) for name in _INSTANCE}


START = update_instance(
    "state",
    "start_date",
    "end_date",
    "duration",
    "queued_when",
    "scheduled_when",
    "try_number",
    "hostname",
    "updated_at",
)
END = update_instance("state", "start_date", "end_date", "duration", "updated_at")
DELETE_ENTRIES = delete(xcom).where(*_of_instance(xcom))


class Move:
    """What a step of the run at the time `at` changes in a task instance."""

    def __init__(
        self, plan_: Plan, row: Row[Any], planned: InstancePlan, step: int, at: datetime
    ) -> None:
        has_started = plan_.has_started(step, row.task_id)
        self.planned = planned
        self.starts = planned.runs and has_started and row.state != "running"
        self.ends = plan_.has_ended(step, row.task_id) if planned.runs else has_started
        self.try_number = row.try_number + self.starts
        self.key = parameters_of(row)
        self._row = row
        self._at = at

    def start_columns(self) -> dict[str, Any]:
        """Return the new values of a task instance that starts."""
        dates = ("start_date", "queued_when", "scheduled_when", "updated_at")
        return {
            **{f"new_{name}": self._at for name in dates},
            "new_state": "running",
            "new_end_date": None,
            "new_duration": None,
            "new_try_number": self.try_number,
            "new_hostname": HOSTNAME,
        }

    def end_columns(self) -> dict[str, Any]:
        """Return the new values of a task instance that ends; it may have started just now."""
        was_running = self._row.state == "running" and self._row.start_date is not None
        start = self._row.start_date if was_running else self._at
        return {
            "new_state": self.planned.state,
            "new_start_date": start,
            "new_end_date": self._at,
            "new_duration": seconds_between(start, self._at),
            "new_updated_at": self._at,
        }

    def entries(self, conf: str) -> list[dict[str, Any]]:
        """Return the rows of the entries."""
        stored = {"timestamp": self._at, "etag": statements.new_etag()}
        return [
            {**instance_key(self._row), "key": key, "value": text, **stored}
            for key, text in entry_texts(self.planned, conf).items()
        ]

    def log_row(self) -> dict[str, Any]:
        """Return the row of the log."""
        key = {**instance_key(self._row), "try_number": self.try_number}
        return {**key, "log": self.planned.log, "record": None}
