"""The fields of DAGs, tasks, DAG runs and task instances in seed files."""

from xcom_server.seed_file.fields import (
    ANY_LIST,
    DATE,
    DATE_TEXT,
    DELTA,
    FLAG,
    LINE,
    LINES,
    MAX_NUMBER,
    NUMBER,
    OBJECT,
    OBJECT_TEXT,
    OWNERS,
    PARAMS,
    SCHEDULE,
    TEXT,
    UUID,
    ZONE,
    Kind,
    one_of,
    or_null,
    whole,
)
from xcom_server.states import RUN_STATES, RUN_TYPES, TASK_STATES
from xcom_server.storage.dags import joined_tags

STORED_NAMES = {
    "dag_display_name": "display_name",
    "task_display_name": "display_name",
    "version_created_at": "created_at",
}
"""The names in the store of fields that have another name in seed files."""

TRIGGERED_BY = ("cli", "operator", "rest_api", "ui", "test", "timetable", "asset", "backfill")


_ANY_WHOLE = whole(-MAX_NUMBER)

# The fields of a DAG that are columns.
DAG_COLUMNS = {
    "dag_display_name": or_null(LINE),
    "is_paused": or_null(FLAG),
    "is_stale": FLAG,
    "owners": Kind(OWNERS.words, lambda value: ", ".join(OWNERS.read(value))),
    "tags": Kind(LINES.words, lambda value: joined_tags(LINES.read(value))),
    "next_dagrun": or_null(DATE),
    "version_id": UUID,
    "version_created_at": DATE,
}

# The fields of a DAG that are members of its definition.
DAG_DEFINITION = {
    "description": or_null(TEXT),
    "schedule": or_null(SCHEDULE),
    "schedule_timezone": ZONE,
    "timetable_description": or_null(TEXT),
    "timezone": ZONE,
    "start_date": or_null(DATE_TEXT),
    "end_date": or_null(DATE_TEXT),
    "catchup": FLAG,
    "max_active_tasks": whole(0),
    "max_active_runs": whole(0),
    "fileloc": TEXT,
    "relative_fileloc": or_null(TEXT),
    "doc_md": or_null(TEXT),
    "params": PARAMS,
    "default_args": OBJECT,
    "dag_run_timeout": or_null(DELTA),
    "is_paused_upon_creation": or_null(FLAG),
    "next_dagrun_data_interval_start": or_null(DATE_TEXT),
    "next_dagrun_data_interval_end": or_null(DATE_TEXT),
    "next_dagrun_create_after": or_null(DATE_TEXT),
    "last_parsed_time": or_null(DATE_TEXT),
    "last_parse_duration": or_null(NUMBER),
    "owner_links": OBJECT,
}

TASK = {
    "task_display_name": or_null(LINE),
    "operator": LINE,
    "operator_name": LINE,
    "module": LINE,
    "owner": TEXT,
    "retries": whole(0),
    "retry_delay": DELTA,
    "pool": TEXT,
    "pool_slots": whole(1),
    "queue": TEXT,
    "priority_weight": _ANY_WHOLE,
    "weight_rule": LINE,
    "trigger_rule": LINE,
    "upstream": LINES,
    "downstream_task_ids": LINES,
    "is_mapped": FLAG,
    "mapped": or_null(whole(1)),
    "dag_result": FLAG,
    "doc_md": or_null(TEXT),
    "params": PARAMS,
    "template_fields": LINES,
    "ui_color": TEXT,
    "ui_fgcolor": TEXT,
    "start_date": or_null(DATE_TEXT),
    "end_date": or_null(DATE_TEXT),
    "execution_timeout": or_null(DELTA),
    "depends_on_past": FLAG,
    "wait_for_downstream": FLAG,
    "extra_links": ANY_LIST,
}

RUN = {
    "state": one_of(*RUN_STATES),
    "run_type": one_of(*RUN_TYPES),
    "data_interval_start": or_null(DATE),
    "data_interval_end": or_null(DATE),
    "queued_at": or_null(DATE),
    "start_date": or_null(DATE),
    "end_date": or_null(DATE),
    "duration": or_null(NUMBER),
    "last_scheduling_decision": or_null(DATE),
    "updated_at": or_null(DATE),
    "triggered_by": or_null(one_of(*TRIGGERED_BY)),
    "triggering_user_name": or_null(TEXT),
    "conf": OBJECT_TEXT,
    "note": or_null(TEXT),
}

# The fields of a task instance that an older try can have too.
TRY = {
    "state": or_null(one_of(*TASK_STATES)),
    "start_date": or_null(DATE),
    "end_date": or_null(DATE),
    "duration": or_null(NUMBER),
    "max_tries": _ANY_WHOLE,
    "task_display_name": or_null(LINE),
    "hostname": TEXT,
    "unixname": TEXT,
    "pool": TEXT,
    "pool_slots": whole(0),
    "queue": TEXT,
    "priority_weight": _ANY_WHOLE,
    "operator": or_null(TEXT),
    "operator_name": or_null(TEXT),
    "queued_when": or_null(DATE),
    "scheduled_when": or_null(DATE),
    "pid": or_null(_ANY_WHOLE),
    "executor": or_null(TEXT),
    "executor_config": TEXT,
    "rendered_map_index": or_null(TEXT),
}
TASK_INSTANCE = {
    "id": UUID,
    "try_number": whole(0),
    **TRY,
    "note": or_null(TEXT),
    "updated_at": or_null(DATE),
}

# Members of the column `details`.
DETAILS = {
    "rendered_fields": OBJECT,
    "trigger": or_null(OBJECT),
    "triggerer_job": or_null(OBJECT),
    "sla_miss": or_null(OBJECT),
}
