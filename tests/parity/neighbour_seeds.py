"""Convert a recorded seed of runs, task instances and DAGs to a seed file of this server.

Usage: python -m tests.parity.neighbour_seeds tests/parity/neighbours/v1.seed.json > seed.json

The recorded order of insertion becomes the order in the file.  Every DAG gets a script that
leaves triggered runs queued, because the recording servers had no scheduler.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

Row = dict[str, Any]

TIME_ZONES = {"cron_tz": "Europe/Warsaw"}
"""The time zones of schedules, which neither API shows; the others are UTC."""


def _names(text: str) -> list[str]:
    return text.split()


# Fields with the same name and meaning in Airflow's API and in seed files.
_DAG = _names(
    "dag_id dag_display_name description is_paused is_stale timetable_description fileloc"
    " relative_fileloc max_active_tasks max_active_runs last_parsed_time last_parse_duration"
    " next_dagrun_data_interval_start next_dagrun_data_interval_end"
)
_DETAILS = _names(
    "catchup doc_md start_date end_date timezone is_paused_upon_creation default_args owner_links"
)
_TASK = _names(
    "task_id task_display_name owner start_date end_date trigger_rule depends_on_past"
    " wait_for_downstream queue pool weight_rule ui_color ui_fgcolor template_fields"
    " downstream_task_ids doc_md operator_name is_mapped extra_links"
)
_RUN = _names(
    "dag_id logical_date queued_at start_date end_date data_interval_start data_interval_end"
    " run_after last_scheduling_decision state triggered_by"
    " triggering_user_name conf note"
)
_INSTANCE = _names(
    "id task_id map_index state start_date end_date duration try_number max_tries"
    " task_display_name hostname unixname pool pool_slots queue priority_weight operator"
    " operator_name queued_when scheduled_when pid executor executor_config note"
    " rendered_map_index rendered_fields trigger triggerer_job sla_miss"
)
_TRY = _names(
    "try_number state start_date end_date duration max_tries hostname unixname pool pool_slots"
    " queue priority_weight operator pid executor task_display_name rendered_map_index"
)

_SCHEMA_KEYWORDS = ("type", "minimum", "maximum", "enum")  # in the order of the DAG file

_DELTA = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)(?:\.(\d{6}))?")
_ISO_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{6}))?S)?)?")


def convert(seed: Row) -> Row:
    """Return the content of a seed file for a recorded seed of either version."""
    instances: dict[tuple[str, str], list[Row]] = {}
    for each in sorted(seed["task_instances"], key=lambda each: each["db"]["rowid_"]):
        instances.setdefault((each["api"]["dag_id"], each["api"]["dag_run_id"]), []).append(each)
    of_task = _children(seed)
    return {
        "dags": [_dag(dag, seed) for dag in seed["dags"]],
        "dag_runs": [
            _run(run) | {"task_instances": [_instance(each, of_task) for each in found]}
            for run in sorted(seed["dag_runs"], key=lambda run: run["db"]["id"])
            for found in [instances.get((run["api"]["dag_id"], run["api"]["dag_run_id"]), [])]
        ],
        "entries": [_without(entry, "dag_result") for entry in seed.get("xcoms", [])],
    }


def _dag(dag: Row, seed: Row) -> Row:
    api, details = dag["api"], dag.get("details") or {}
    instances = seed["task_instances"]
    of_dag = [each for each in instances if each["api"]["dag_id"] == dag["dag_id"]]
    results = {
        entry["task_id"]
        for entry in seed.get("xcoms", [])
        if entry["dag_id"] == dag["dag_id"] and entry.get("dag_result")
    }
    version = details.get("latest_dag_version") or {}
    return {
        **_picked(api, _DAG),
        **_picked(details, _DETAILS),
        "is_stale": api["is_stale"] if "is_stale" in api else not api["is_active"],
        "owners": [owner.strip() for owner in api["owners"]],
        "tags": [tag["name"] for tag in api["tags"]],
        "schedule": _schedule(api, details),
        "schedule_timezone": TIME_ZONES.get(dag["dag_id"], "UTC"),
        "dag_run_timeout": _delta(details.get("dag_run_timeout")),
        "params": _params(details.get("params", {})),
        "next_dagrun": api.get("next_dagrun", api.get("next_dagrun_logical_date")),
        "next_dagrun_create_after": api.get(
            "next_dagrun_create_after", api.get("next_dagrun_run_after")
        ),
        **{f"version_{name}": version[name] for name in ("id", "created_at") if name in version},
        "tasks": [_task(task, of_dag, results) for task in _in_order(dag["tasks"], of_dag)],
        "script": {"states": ["queued"]},
    }


def _schedule(api: Row, details: Row) -> Any:
    """Return the schedule: null, a cron expression, a time delta or an expression of assets."""
    if expression := details.get("dataset_expression") or details.get("asset_expression"):
        return {"assets": expression}
    schedule = api.get("schedule_interval", api.get("timetable_summary"))
    if isinstance(schedule, dict):
        return schedule["value"] if "value" in schedule else _delta(schedule)
    if schedule and (match := _DELTA.fullmatch(schedule)):
        days, hours, minutes, seconds, micro = (int(each or 0) for each in match.groups())
        return _as_delta(days, hours, minutes, seconds, micro)
    return schedule


def _delta(duration: Row | str | None) -> Row | None:
    """Return a duration, which v1 writes as an object and v2 as ISO 8601 text or an object."""
    if isinstance(duration, str):
        match = _ISO_DURATION.fullmatch(duration)
        assert match, f"not a duration: {duration}"
        return _as_delta(*(int(each or 0) for each in match.groups()))
    return duration and {name: duration[name] for name in ("days", "seconds", "microseconds")}


def _as_delta(days: int, hours: int, minutes: int, seconds: int, microseconds: int) -> Row:
    total = hours * 3600 + minutes * 60 + seconds
    return {"days": days, "seconds": total, "microseconds": microseconds}


def _params(params: Row) -> Row:
    """Return the params, with the keys of schemas as in the DAG file: v1 sorts them."""
    return {
        name: {("class" if key == "__class" else key): value for key, value in param.items()}
        | {"schema": dict(sorted(param["schema"].items(), key=_position))}
        for name, param in params.items()
    }


def _position(keyword: tuple[str, Any]) -> int:
    return _SCHEMA_KEYWORDS.index(keyword[0])


def _in_order(tasks: list[Row], of_dag: list[Row]) -> list[Row]:
    """Return tasks in the order in which task instances were made; the APIs sort them by id."""
    made = [
        each["api"]["task_id"] for each in sorted(of_dag, key=lambda each: each["db"]["rowid_"])
    ]
    return sorted(
        tasks, key=lambda task: made.index(task["task_id"]) if task["task_id"] in made else -1
    )


def _task(task: Row, of_dag: list[Row], results: set[str]) -> Row:
    return {
        **_picked(task, _TASK),
        "operator": task["class_ref"]["class_name"],
        "module": task["class_ref"]["module_path"],
        "retries": int(task["retries"]),
        "retry_delay": _delta(task["retry_delay"]),
        "pool_slots": int(task["pool_slots"]),
        "priority_weight": int(task["priority_weight"]),
        "execution_timeout": _delta(task["execution_timeout"]),
        "params": _params(task["params"]),
        "mapped": _indexes(task["task_id"], of_dag) or None,
        "dag_result": task["task_id"] in results,
    }


def _indexes(task_id: str, of_dag: list[Row]) -> int:
    """Return the number of literal map indexes of a task, 0 if it has none."""
    of_task = (each["api"] for each in of_dag if each["api"]["task_id"] == task_id)
    return max((each["map_index"] for each in of_task), default=-1) + 1


def _run(run: Row) -> Row:
    api, db = run["api"], run["db"]
    return {
        "run_id": api["dag_run_id"],
        "queued_at": _time(db["queued_at"]),
        "updated_at": _time(db["updated_at"]),
        **_picked(api, _RUN),
        "run_type": api["run_type"].replace("dataset_triggered", "asset_triggered"),
    }


def _instance(instance: Row, of_task: dict[tuple[str, str, str, int], Row]) -> Row:
    api, db = instance["api"], instance["db"]
    key = (api["dag_id"], api["dag_run_id"], api["task_id"], api["map_index"])
    return {
        "operator_name": db["custom_operator_name"] or api["operator"],
        "scheduled_when": _time(db.get("scheduled_dttm")),
        "updated_at": _time(db["updated_at"]),
        **_picked(api, _INSTANCE),
        **of_task.get(key, {}),
    }


def _children(seed: Row) -> dict[tuple[str, str, str, int], Row]:
    """Return the logs and older tries of task instances."""
    found: dict[tuple[str, str, str, int], Row] = {}
    for log in seed.get("logs", []):
        logs = found.setdefault(_key(log), {}).setdefault("log", {})
        logs[str(log["try_number"])] = log["text"]
    for attempt in seed.get("task_instance_history", []):
        found.setdefault(_key(attempt), {}).setdefault("tries", []).append(_try(attempt))
    return found


def _try(attempt: Row) -> Row:
    times = {name: _time(attempt[name]) for name in ("start_date", "end_date")}
    return {
        **_picked(attempt, _TRY),
        **times,
        "operator_name": attempt["custom_operator_name"] or attempt["operator"],
        "queued_when": _time(attempt["queued_dttm"]),
        "scheduled_when": _time(attempt.get("scheduled_dttm")),
    }


def _key(row: Row) -> tuple[str, str, str, int]:
    return row["dag_id"], row["run_id"], row["task_id"], row["map_index"]


def _time(stored: str | None) -> str | None:
    """Return a time of the recording server's database in RFC 3339."""
    return stored and f"{stored.replace(' ', 'T')}Z"


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _picked(row: Row, names: list[str]) -> Row:
    """Return the named fields that a row has."""
    return {name: row[name] for name in names if name in row}


if __name__ == "__main__":
    document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    json.dump(convert(document), sys.stdout, ensure_ascii=False, indent=1)
