"""Task instances: the record of one, and the interface of the store of them."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from xcom_server.formats.rfc3339 import parse_rfc3339
from xcom_server.storage.models import UNCHANGED
from xcom_server.storage.queries import Filter, Order, Page

_DATES = ("start_date", "end_date", "queued_when", "scheduled_when")  # in the record of a try


class TaskInstance(NamedTuple):
    """A task instance.

    Datetimes are in UTC, durations in seconds. `id` is a UUID. `details` is a JSON object that can
    have `rendered_fields`, `trigger`, `triggerer_job` and `sla_miss`. The fields from
    `logical_date` on are those of its DAG run and its DAG.
    """

    id: str
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    state: str | None
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    try_number: int
    max_tries: int
    display_name: str | None
    hostname: str
    unixname: str
    pool: str
    pool_slots: int
    queue: str
    priority_weight: int
    operator: str | None
    operator_name: str | None
    queued_when: datetime | None
    scheduled_when: datetime | None
    pid: int | None
    executor: str | None
    executor_config: str
    note: str | None
    rendered_map_index: str | None
    details: str
    logical_date: datetime | None
    run_after: datetime
    dag_display_name_or_none: str | None
    version_id: str
    created_at: datetime

    @property
    def task_display_name(self) -> str:
        """The display name of the task, which defaults to its id."""
        return self.display_name or self.task_id

    @property
    def dag_display_name(self) -> str:
        """The display name of the DAG, which defaults to its id."""
        return self.dag_display_name_or_none or self.dag_id

    @property
    def task_key(self) -> "TaskKey":
        """The identity of the task instance."""
        return TaskKey(self.dag_id, self.run_id, self.task_id, self.map_index)

    @property
    def run_date(self) -> datetime:
        """The logical date of the DAG run, or `run_after` if it has none."""
        return self.logical_date or self.run_after


class TaskKey(NamedTuple):
    """The identity of a task instance; `map_index` is -1 for one that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


class Try(NamedTuple):
    """A try of a task instance before the current one.

    `record` is a JSON object with those fields of TaskInstance that differ from the current ones;
    dates are in RFC 3339.
    """

    try_number: int
    record: str

    def of(self, instance: TaskInstance) -> TaskInstance:
        """Return the record of this try of a task instance."""
        fields = json.loads(self.record)
        dates = {name: parse_rfc3339(fields[name]) for name in _DATES if fields.get(name)}
        return instance._replace(**fields | dates, try_number=self.try_number)


@dataclass(frozen=True)
class SeedTaskInstance:
    """A task instance to load or an exported one.

    `fields` are the fields of TaskInstance that the row gives, without its ids; `logs` maps numbers
    of tries to texts.
    """

    task_id: str
    map_index: int
    fields: dict[str, Any] = field(default_factory=dict)
    logs: dict[int, str] = field(default_factory=dict)
    tries: list[Try] = field(default_factory=list)


class TaskInstanceStore(Protocol):
    """The task instances of a store.

    Lists can be filtered and ordered by the fields of TaskInstance up to `run_after`, by
    `updated_at`, and by `data_interval_start` and `data_interval_end` of the run. There
    `display_name` is the id if there is none, and `operator_name` the operator. A read takes the
    steps of scripts that were due at a time that has passed.
    """

    def get(self, key: TaskKey) -> TaskInstance:
        """Return a task instance.  Raises TaskInstanceNotFound."""

    def list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[TaskInstance]:
        """Return a page of the task instances that match, and the number of all.

        Ties sort by `id`, which is the order of insertion.
        """

    def tries(self, key: TaskKey) -> Sequence[TaskInstance]:
        """Return the record of each try, oldest first; [] for an unknown task instance.

        The last one is the current try.
        """

    def log(self, key: TaskKey, try_number: int) -> str | None:
        """Return the log of a try, None if there is none."""

    def set_state(self, keys: Collection[TaskKey], state: str | None) -> Sequence[TaskInstance]:
        """Set the state of task instances, and return them; their run's state is not changed.

        A finished state sets the missing dates and the duration. Unknown ones are left out.
        """

    def set_note(self, keys: Collection[TaskKey], note: str | None) -> Sequence[TaskInstance]:
        """Set the note of task instances, and return them.  Unknown ones are left out."""

    def clear(
        self,
        keys: Collection[TaskKey],
        *,
        restarting: bool,
        reset_runs: bool,
        note: str | None = UNCHANGED,
    ) -> Sequence[TaskInstance]:
        """Clear task instances as RunStore.clear does, and return them.

        Finished runs become queued if `reset_runs` is true. Unknown ones are left out.
        """

    def delete(self, key: TaskKey) -> None:
        """Delete a task instance with its entries.  Raises TaskInstanceNotFound."""
