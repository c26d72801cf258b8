"""The states of DAG runs and task instances, and the types of runs, by their names in Airflow 3."""

RUN_STATES = ("queued", "running", "success", "failed")
"""The states of a run, in the order in which it has them."""

FINISHED = ("success", "failed")
"""The states of a finished run, and of a task instance that ran to its end."""

RUN_TYPES = (
    *("manual", "scheduled", "backfill", "asset_triggered"),
    *("operator_triggered", "asset_materialization"),
)
INTERNAL_TYPES = ("scheduled", "backfill", "asset_triggered")
"""The types of runs that were not triggered."""

TASK_STATES = (
    *("removed", "scheduled", "queued", "running", "success", "restarting", "failed"),
    *("up_for_retry", "up_for_reschedule", "upstream_failed", "skipped", "deferred"),
    "awaiting_input",
)
"""The states of a task instance, beside null."""

ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
"""The states of a task instance that has ended."""
