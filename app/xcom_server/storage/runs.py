"""DAG runs: the record of one, and the interface of the store of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from xcom_server.states import FINISHED
from xcom_server.storage.models import UNCHANGED
from xcom_server.storage.queries import Filter, Order, Page
from xcom_server.storage.task_instances import SeedTaskInstance

TaskStates = Mapping[str | None, str | None]
"""State of a task instance -> its new state; a task instance in another state is not changed."""


class DagRun(NamedTuple):
    """A DAG run.

    Datetimes are in UTC, durations in seconds. `conf` is JSON text. `run_type` has the names of
    Airflow 3 ("asset_triggered"). `display_name`, `version_id` and `created_at` are those of its
    DAG. `step` is the number of the script's step, None if the run does not change by itself, and
    `step_at` the time of the next step, None if the next read takes it.
    """

    dag_id: str
    run_id: str
    state: str
    run_type: str
    logical_date: datetime | None
    run_after: datetime
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    last_scheduling_decision: datetime | None
    triggered_by: str | None
    triggering_user_name: str | None
    conf: str
    note: str | None
    step: int | None
    step_at: datetime | None
    display_name: str | None
    version_id: str
    created_at: datetime
    is_paused: bool | None
    has_task_instances: bool

    @property
    def dag_display_name(self) -> str:
        """The display name of the DAG, which defaults to its id."""
        return self.display_name or self.dag_id

    @property
    def run_date(self) -> datetime:
        """The logical date, or `run_after` if there is none."""
        return self.logical_date or self.run_after

    @property
    def is_finished(self) -> bool:
        """Whether the state is success or failed."""
        return self.state in FINISHED


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run to trigger; `conf` is JSON text."""

    dag_id: str
    run_id: str
    logical_date: datetime | None
    run_after: datetime
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    conf: str = "{}"
    note: str | None = None
    triggered_by: str | None = "rest_api"
    triggering_user_name: str | None = None


@dataclass(frozen=True)
class SeedRun:
    """A DAG run to load or an exported one.

    `fields` are the fields of DagRun that the row gives, without its ids and its dates.
    """

    place: str
    dag_id: str
    run_id: str
    logical_date: datetime | None
    run_after: datetime
    task_instances: list[SeedTaskInstance]
    fields: dict[str, Any]


class RunStore(Protocol):
    """The DAG runs of a store.

    Lists can be filtered and ordered by the fields of DagRun up to `note`, and by `id` (the order
    of insertion), `updated_at` and `external_trigger` (false for states.INTERNAL_TYPES).
    """

    def get(self, dag_id: str, run_id: str) -> DagRun:
        """Return a run, and take the next step of its script.

        The record is that before the step, unless the step was due at a time that has passed.
        Raises RunNotFound.
        """

    def peek(self, dag_id: str, run_id: str) -> DagRun:
        """Return a run without taking a step.  Raises RunNotFound."""

    def list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[DagRun]:
        """Return a page of the runs that match, and the number of all; ties sort by `id`.

        Takes the next step of each run on the page, as `get` does.
        """

    def peek_list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[DagRun]:
        """Return a page of the runs that match, without taking a step; ties sort by `id`."""

    def trigger(self, run: NewRun) -> DagRun:
        """Store a queued run with its task instances, and return it.

        An unknown DAG is registered. Raises RunExists, DagNotFound for a stale DAG and, if parents
        are required, for an unknown one, and NameTooLong.
        """

    def require_new(self, run: NewRun) -> None:
        """Raise RunExists if `trigger` would, without storing the run."""

    def set_state(
        self,
        dag_id: str,
        run_id: str,
        state: str,
        tasks: TaskStates,
        *,
        note: str | None = UNCHANGED,
    ) -> DagRun:
        """Set the state of a run, the states of its task instances and its note; return the run.

        With the state queued the script starts again, if there is one; with another state the run
        does not change by itself any more. Raises RunNotFound.
        """

    def set_note(self, dag_id: str, run_id: str, note: str | None) -> DagRun:
        """Set the note of a run, and return the run.  Raises RunNotFound."""

    def clear(
        self,
        dag_id: str,
        run_id: str,
        *,
        only_states: Collection[str | None] | None = None,
        restarting: bool,
        note: str | None = UNCHANGED,
    ) -> DagRun:
        """Clear a run's task instances, so that they would run again; entries are kept.

        A finished run becomes queued, and its script starts again, unless no task instance is in
        one of `only_states`. These are the states of the task instances to clear, None for all. A
        running task instance gets the state restarting if `restarting` is true; otherwise it stays
        running; both end now. Returns the run, with another note if one is given. Raises
        RunNotFound.
        """

    def delete(self, dag_id: str, run_id: str, *, even_if_running: bool) -> None:
        """Delete a run with its task instances and entries.

        Raises RunNotFound, and RunIsRunning.
        """
