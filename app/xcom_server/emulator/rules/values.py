"""Rules about the values of entries."""

import json

from xcom_server.emulator.rules.exchange import LIST_ENTRIES, Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule

_STARTS = ("{'", "['", "('", "[{'", "[['", "[('", "{1", "{0", "[None", "[True", "[False")
_SIGNS = ("'", "None", "True", "False")  # in what str() makes of an object or a list, if not JSON


def _value_in_list(exchange: Exchange, journal: Journal) -> Advice | None:
    if exchange.name not in LIST_ENTRIES or not exchange.record.items:
        return None
    if any("xcomEntries" in each.ids for each in journal.of_client(exchange)):
        return None
    path = f"{exchange.record.path}/KEY"
    if "~" in exchange.ids.values():
        path = f"/api/{exchange.version}/dags/DAG_ID/dagRuns/RUN_ID/taskInstances/TASK_ID"
        path += "/xcomEntries/KEY"
    return Advice(
        "This client lists entries but reads none. The entries in a list have no value, in"
        " either version: read each entry by its key.",
        exchange.request(path, [], "GET"),
    )


def _v1_value_is_python(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.record.operation != "v1.getXComValue" or not exchange.is_answered:
        return None
    if exchange.parameter("stringify") is not None or not _is_python(exchange):
        return None
    return Advice(
        "The value is the text that Python's str() makes, not JSON: quotes are single, and null is"
        " None. With stringify=false, Airflow 2.10 and later return JSON.",
        exchange.request(query=[*exchange.parameters, ("stringify", "false")]),
    )


def _is_python(exchange: Exchange) -> bool:
    """Return whether the value is a container of Python, by its text: values are not evaluated."""
    if not exchange.response:  # the journal cut it
        start = exchange.record.response.partition('"value": "')[2]
        return start.replace('\\"', '"').startswith(_STARTS)
    value = exchange.response.get("value")
    return (
        isinstance(value, str)
        and value.startswith(("{", "[", "(", "set("))
        and value.endswith(("}", "]", ")"))
        and any(sign in value for sign in _SIGNS)
        and not _is_json(value)
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


RULES = (
    Rule(
        "value-in-list",
        Level.HINT,
        "The client lists entries and never reads one, but lists have no values.",
        _value_in_list,
        explains=(),
    ),
    Rule(
        "v1-value-is-python",
        Level.HINT,
        "v1 returned a list or an object as the text of Python, which is not JSON.",
        _v1_value_is_python,
        explains=(),
    ),
)
