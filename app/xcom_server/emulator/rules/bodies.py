"""Rules about bodies: runs, entries, media types and fields."""

import json
import re

from xcom_server.emulator.rules.exchange import TRIGGER, Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule
from xcom_server.states import RUN_STATES

_CREATE_ENTRY = ("updateXComEntry", "create_xcom_entry")
_CLEAR = "post_clear_task_instances"
_UNKNOWN_FIELD = re.compile(r"'(\w+)': \['Unknown field")
_OF_OTHER_RULES = ("execution_date", "update_mask")
_NAMES = {"run_id": "dag_run_id", "config": "conf", "parameters": "conf", "params": "conf"}
_ZONE = re.compile(r"(?:Z|[+-]\d\d:?\d\d| \d\d:?\d\d)$", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?$")


def _repeated_run_id(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.name not in TRIGGER or exchange.record.status != 409:
        return None
    run_id = exchange.body.get("dag_run_id")
    return Advice(
        "The DAG has a run with this dag_run_id or logical_date already. A client that names its"
        " runs can read the 409 as: it was started before.",
        exchange.request(f"{exchange.record.path}/{run_id}", [], "GET")
        if isinstance(run_id, str)
        else exchange.request(method="GET"),
    )


def _entry_exists(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.name not in _CREATE_ENTRY or exchange.record.status != 409:
        return None
    key, value = exchange.body.get("key", "KEY"), exchange.body.get("value")
    body = json.dumps({"value": value})
    return Advice(
        "The entry exists, and a POST does not replace it. PATCH changes its value.",
        f"PATCH {exchange.record.path}/{key} with the body {body}",
    )


def _conf_is_text(exchange: Exchange, _: Journal) -> Advice | None:
    conf = exchange.body.get("conf")
    is_refused = exchange.record.status in (400, 422)
    if exchange.name not in TRIGGER or not is_refused or not isinstance(conf, str):
        return None
    try:
        conf = json.loads(conf)
    except (ValueError, RecursionError):
        conf = {}
    return Advice(
        "conf is a text. It must be an object: do not serialize it separately.",
        exchange.with_body({"conf": conf}),
    )


def _json_content_type(exchange: Exchange, _: Journal) -> Advice | None:
    kind = exchange.record.headers.get("Content-Type", "")
    unread = any(each.get("type") == "model_attributes_type" for each in exchange.errors)
    if exchange.record.status != 415 and not (unread and "json" not in kind.lower()):
        return None
    named = f"has the Content-Type {kind}" if kind else "has no Content-Type"
    return Advice(
        f"The body {named}, so it is not read as JSON.",
        f"{exchange.request()} with the header Content-Type: application/json",
    )


def _unknown_field(exchange: Exchange, _: Journal) -> Advice | None:
    names = [*_UNKNOWN_FIELD.findall(exchange.error)] if exchange.version == "v1" else []
    names += [
        str(each["loc"][-1]) for each in exchange.errors if each.get("type") == "extra_forbidden"
    ]
    names = [name for name in names if not name.startswith(_OF_OTHER_RULES)]
    if not names or exchange.record.status not in (400, 422):
        return None
    renamed = {_NAMES[name]: exchange.body.get(name) for name in names if name in _NAMES}
    return Advice(
        f"The body has the unknown field {', '.join(names)}. Neither version ignores unknown"
        " fields.",
        exchange.with_body({**dict.fromkeys(names, ...), **renamed}),
    )


def _date_without_zone(exchange: Exchange, _: Journal) -> Advice | None:
    refused = "timezone" in exchange.error or "is not a 'date-time'" in exchange.error
    if exchange.record.status not in (400, 422) or not refused:
        return None
    query = [(name, _with_zone(value)) for name, value in exchange.parameters]
    if query != exchange.parameters:
        return Advice(_NO_ZONE, exchange.request(query=query))
    dates = {
        name: _with_zone(value) for name, value in exchange.body.items() if isinstance(value, str)
    }
    if dates.items() <= exchange.body.items():
        return None
    return Advice(_NO_ZONE, exchange.with_body(dates))


_NO_ZONE = "A date has no time zone, which Airflow requires. Z is UTC."


def _with_zone(date: str) -> str:
    return f"{date}Z" if _DATE.fullmatch(date) else date


def _clear_is_dry_run(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.name != _CLEAR or not exchange.is_answered or "dry_run" in exchange.body:
        return None
    if exchange.record.body.endswith("…"):
        return None
    return Advice(
        "Nothing was cleared: a dry run is the default, and its status is 200, too.",
        exchange.with_body({"dry_run": False}),
    )


def _unknown_state(exchange: Exchange, _: Journal) -> Advice | None:
    states = [value for name, value in exchange.parameters if name == "state"]
    if not states or any("," in each for each in states):
        return None
    unnoticed = exchange.record.operation == "v1.get_dag_runs" and exchange.record.items == 0
    unknown = unnoticed and set(states).isdisjoint(RUN_STATES)
    refused = "is not one of" in exchange.error or "Invalid value for state" in exchange.error
    if not unknown and not refused:
        return None
    return Advice(
        f"No state has the name {', '.join(states)}. The states of a run are"
        f" {', '.join(RUN_STATES)}, in lower case.",
        exchange.request(query=[*exchange.without("state"), ("state", "success")]),
    )


RULES = (
    Rule(
        "repeated-run-id",
        Level.REFUSED,
        "A run is triggered with the `dag_run_id` or date of an existing one.",
        _repeated_run_id,
    ),
    Rule(
        "entry-exists",
        Level.REFUSED,
        "An entry is created that exists already.",
        _entry_exists,
    ),
    Rule(
        "conf-is-text",
        Level.REFUSED,
        "`conf` is a JSON text in the body, not an object.",
        _conf_is_text,
    ),
    Rule(
        "json-content-type",
        Level.REFUSED,
        "The body has no JSON Content-Type.",
        _json_content_type,
    ),
    Rule(
        "unknown-field",
        Level.REFUSED,
        "The body has a field that the operation does not have.",
        _unknown_field,
    ),
    Rule(
        "date-without-zone",
        Level.REFUSED,
        "A date has no time zone.",
        _date_without_zone,
    ),
    Rule(
        "clear-is-dry-run",
        Level.HINT,
        'Task instances are cleared without `"dry_run": false`, so nothing is cleared.',
        _clear_is_dry_run,
        explains=(),
    ),
    Rule(
        "unknown-state",
        Level.HINT,
        "A list is filtered by a state that does not exist.",
        _unknown_state,
    ),
)
