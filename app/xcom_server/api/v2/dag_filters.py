"""The filters of the lists of DAGs, as in Airflow 3.3.2."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from xcom_server.api import schedules
from xcom_server.api.conditions import refuse_many, with_tags
from xcom_server.api.definitions import Definition
from xcom_server.api.v2.filters import NOTHING, ListRules, in_states
from xcom_server.api.v2.schemas_dags import BUNDLE
from xcom_server.storage.queries import Comparison, Condition

Predicate = Callable[[Definition], bool]

_RUN_DATES = ("dag_run_start_date", "dag_run_end_date")
_BOUNDS = ("gte", "gt", "lte", "lt")

RULES = ListRules(
    patterns={"dag_id": "dag_id", "dag_display_name": "display_name"},
    ranges=("last_run_start_date", "last_run_end_date"),
    names={
        "dag_id": "dag_id",
        "dag_display_name": "display_name",
        "next_dagrun": "next_dagrun",
        "state": "last_run_state",
        "start_date": "last_run_start_date",
        "last_run_state": "last_run_state",
        "last_run_start_date": "last_run_start_date",
    },
)

_TIMETABLES = {"@once": "OnceTimetable", "@continuous": "ContinuousTimetable"}


def of_query(params: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions of the parameters of a list, without those of `predicate`.

    Raises BadRequestProblem for too many tags, owners or alternatives of a pattern.
    """
    run_dates = {
        f"{name.replace('dag_run', 'last_run')}_{bound}": params.get(f"{name}_{bound}")
        for name in _RUN_DATES
        for bound in _BOUNDS
    }
    last_state = params.get("last_dag_run_state")
    return (
        *RULES.conditions({**params, **run_dates}),
        *_flags(params),
        *with_tags(params.get("tags") or [], all_of_them=params.get("tags_match_mode") == "all"),
        *_owners(params.get("owners") or []),
        *in_states("last_run_state", params.get("dag_run_state")),
        *in_states("last_run_state", last_state and [last_state]),
        *((NOTHING,) if _is_impossible(params) else ()),
    )


def predicate(params: Mapping[str, Any]) -> Predicate | None:
    """Return the test of the parameters that depend on the schedule, None without any."""
    tests: list[Predicate] = []
    if (has_assets := params.get("has_asset_schedule")) is not None:
        tests.append(lambda each: schedules.has_assets(each.schedule) == has_assets)
    if text := params.get("asset_dependency"):
        tests.append(lambda each: any(text.lower() in name for name in _assets(each)))
    if types := params.get("timetable_type"):
        tests.append(lambda each: _timetable_type(each.schedule) in types)
    return (lambda each: all(test(each) for test in tests)) if tests else None


def _flags(params: Mapping[str, Any]) -> Iterable[Condition]:
    if params.get("exclude_stale"):
        yield _equal("is_stale", False)
    if params.get("paused") is not None:
        yield _equal("is_paused", params["paused"])


def _owners(owners: list[str]) -> Iterable[Condition]:
    refuse_many("owners", owners)
    if owners:
        yield tuple((Comparison("owners", "like", f"%{owner}%"),) for owner in owners)


def _is_impossible(params: Mapping[str, Any]) -> bool:
    """Return whether the parameters ask for what no DAG here has, such as a bundle's version."""
    return bool(
        params.get("has_import_errors")
        or params.get("is_favorite")
        or params.get("bundle_version")
        or (params.get("bundle_name") or BUNDLE) != BUNDLE
    )


def _equal(field: str, value: bool) -> Condition:
    return ((Comparison(field, "eq", value),),)


def _assets(definition: Definition) -> Iterable[str]:
    """Yield the names and URIs of the assets in a schedule, in lower case."""
    found = [definition.asset_expression]
    while found:
        each = found.pop()
        if isinstance(each, dict):
            yield from (str(each[name]).lower() for name in ("name", "uri") if name in each)
            found += each.values()
        elif isinstance(each, list):
            found += each


def _timetable_type(schedule: Any) -> str:
    if schedule is None:
        return "NullTimetable"
    if isinstance(schedule, str):
        return _TIMETABLES.get(schedule, "CronTriggerTimetable")
    return "AssetTriggeredTimetable" if schedules.has_assets(schedule) else "DeltaTriggerTimetable"
