"""Rules about paths: wildcards, slashes, escapes, and paths that no operation has."""

import re
from difflib import get_close_matches
from urllib.parse import quote

from xcom_server.emulator.rules.exchange import ANY, Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule

_PARENTS = ("dags", "dagRuns", "taskInstances")
_WRONG_WILDCARDS = ("-", "*", "_all")
_ALIASES = ("latest", "last", "newest", "most_recent", "current", "latest_run", "last_run")
_WORDS = (
    *("dags", "dagRuns", "taskInstances", "xcomEntries", "tasks", "logs", "version", "health"),
    *("clear", "listMapped", "tries", "details", "importErrors", "clearTaskInstances", "list"),
)
_SPACE_FOR_PLUS = re.compile(r"(T\d\d:\d\d:\d\d(?:\.\d+)?)(?:%20| )(\d\d:\d\d)")
_ESCAPED_TWICE = re.compile(r"%25([0-9A-Fa-f]{2})")
_SLASH_IN_RUN = re.compile(
    r"/dagRuns/([^/]*%2F[^/]*|[^/]+/.+?)(?=/taskInstances/|$)", re.IGNORECASE
)


def _is_unrouted(exchange: Exchange) -> bool:
    return exchange.record.status == 404 and not exchange.record.operation


def _trailing_slash(exchange: Exchange, _: Journal) -> Advice | None:
    path = exchange.record.path
    if exchange.record.status not in (404, 405) or not path.endswith("/") or path == "/":
        return None
    return Advice(
        "The path ends with a slash, so it is another path. Airflow does not redirect it, and after"
        " a key the slash is a part of the key.",
        exchange.request(path.rstrip("/")),
    )


def _double_slash(exchange: Exchange, _: Journal) -> Advice | None:
    path = exchange.record.path
    if not _is_unrouted(exchange) or "//" not in path:
        return None
    return Advice(
        "The path has two slashes in a row, often because the base URL ends with one.",
        exchange.request(re.sub("/+", "/", path)),
    )


def _dash_for_tilde(exchange: Exchange, _: Journal) -> Advice | None:
    wrong = [name for name in _PARENTS if exchange.ids.get(name) in _WRONG_WILDCARDS]
    if not wrong or not exchange.is_empty:
        return None
    sign = exchange.ids[wrong[0]]
    place = "|".join(wrong)
    sent = "|".join(map(re.escape, {sign, quote(sign, safe="")}))
    path = re.sub(rf"(/(?:{place}))/(?:{sent})(?=/|$)", rf"\1/{ANY}", exchange.record.path)
    return Advice(
        f"`{sign}` is an id like any other, and nothing has it. The wildcard for any DAG, run or"
        " task is `~`, in lists only.",
        exchange.request(path),
    )


def _tilde_outside_lists(exchange: Exchange, _: Journal) -> Advice | None:
    is_one = exchange.record.status == 404 and exchange.name
    if not is_one or not any(exchange.ids.get(name) == ANY for name in _PARENTS):
        return None
    is_entry = "/xcomEntries/" in exchange.record.path
    return Advice(
        "`~` matches any DAG, run or task only in lists. To read or write one object, send all of"
        " its ids.",
        exchange.request(exchange.up_to("xcomEntries"), [], "GET") if is_entry else "",
    )


def _run_alias(exchange: Exchange, _: Journal) -> Advice | None:
    run_id = exchange.ids.get("dagRuns", "")
    if run_id.lower().strip("~@") not in _ALIASES or not exchange.is_empty:
        return None
    order = "-execution_date" if exchange.version == "v1" else "-run_after"
    query = [("order_by", order), ("limit", "1")]
    return Advice(
        f"`{run_id}` is an id like any other: Airflow has no alias for the newest run. List the"
        " runs, newest first, and use its dag_run_id.",
        exchange.request(exchange.up_to("dagRuns"), query, "GET"),
    )


def _plus_in_path(exchange: Exchange, _: Journal) -> Advice | None:
    path = _SPACE_FOR_PLUS.sub(r"\1%2B\2", exchange.record.path)
    if path == exchange.record.path or not exchange.is_empty:
        return None
    return Advice(
        "The id has a space where its date has a +: the client decoded it as a form does. Send"
        " the + in a path as it is or as %2B.",
        exchange.request(path),
    )


def _escaped_twice(exchange: Exchange, _: Journal) -> Advice | None:
    path = _ESCAPED_TWICE.sub(r"%\1", exchange.record.path)
    if path == exchange.record.path or not exchange.is_empty:
        return None
    return Advice("The path is percent-encoded twice: %25 is an encoded %.", exchange.request(path))


def _slash_in_id(exchange: Exchange, _: Journal) -> Advice | None:
    found = _SLASH_IN_RUN.search(exchange.record.path)
    if not _is_unrouted(exchange) or not found:
        return None
    words = {each.lower() for each in found[1].split("/")[1:]}
    if words & {*map(str.lower, _WORDS), "wait", "setnote", "xcoms", "xcom", ""}:
        return None
    return Advice(
        "The run id has a slash, which ends the id in a path. Airflow has no run ids with slashes;"
        " the key of an entry may have them.",
        exchange.request(exchange.up_to("dagRuns"), [], "GET"),
    )


def _login_path(exchange: Exchange, _: Journal) -> Advice | None:
    path = exchange.record.path
    wrong = ("/auth/token", "/auth/token/cli", "/token", "/login")
    if exchange.is_answered or exchange.record.operation or not path.endswith(wrong):
        return None
    if path in wrong[:2]:
        return None
    return Advice(
        "Tokens are at /auth/token, without /api/v1 or /api/v2, in Airflow 3 only. Airflow 2 has"
        " Basic credentials.",
        'POST /auth/token with the JSON body {"username": "NAME", "password": "PASSWORD"}',
    )


def _health_path(exchange: Exchange, journal: Journal) -> Advice | None:
    right = _HEALTH.get(exchange.record.path)
    if not _is_unrouted(exchange) or not right or not journal.has(exchange.version):
        return None
    return Advice("Health has another path in this version.", f"GET {right}")


_HEALTH = {
    "/api/v1/monitor/health": "/api/v1/health",
    "/api/v2/health": "/api/v2/monitor/health",
}


def _unknown_path(exchange: Exchange, _: Journal) -> Advice | None:
    if not _is_unrouted(exchange):
        return None
    path = exchange.record.path
    if not exchange.version:
        found = re.search(r"/(?:dags|dagRuns)(?:/|$).*", path)
        where = f"/api/v2{found[0]}" if found else ""
        return Advice(
            "The API is below /api/v1 or /api/v2. This server has no web interface.",
            exchange.request(where) if where else "GET /api/v2/version",
        )
    fixed = _nearest(path)
    return Advice(
        f"No operation of this server has this path in {exchange.version}. Airflow can have more"
        " operations; docs/operations.md lists those of this server.",
        exchange.request(fixed) if fixed != path else "",
    )


def _nearest(path: str) -> str:
    """Return a path with its names as Airflow spells them; the ids are not changed."""
    start, version, rest = path[:5], path[5:7], path[8:]
    parts = [each if index % 2 else _word(each) for index, each in enumerate(rest.split("/"))]
    run = "dagRuns" in parts[2:3] and "xcomEntries" in parts[4:5]
    if run:  # entries belong to a task instance
        parts[4:4] = ["taskInstances", "TASK_ID"]
    return f"{start}{version}/{'/'.join(parts)}"


def _word(name: str) -> str:
    lowered = {each.lower(): each for each in _WORDS} | {"xcom": "xcomEntries"}
    lowered |= {"xcoms": "xcomEntries", "runs": "dagRuns", "dag": "dags"}
    close = get_close_matches(name.lower().replace("_", ""), lowered, n=1, cutoff=0.8)
    return lowered[close[0]] if close else name


RULES = (
    Rule(
        "trailing-slash",
        Level.REFUSED,
        "The path ends with a slash, which makes it another path.",
        _trailing_slash,
    ),
    Rule(
        "double-slash",
        Level.REFUSED,
        "The path has two slashes in a row.",
        _double_slash,
    ),
    Rule(
        "dash-for-tilde",
        Level.HINT,
        "`-` or `*` is sent for any DAG, run or task, but the wildcard is `~`.",
        _dash_for_tilde,
    ),
    Rule(
        "tilde-outside-lists",
        Level.REFUSED,
        "One object is requested with `~`, which only lists have.",
        _tilde_outside_lists,
    ),
    Rule(
        "run-alias",
        Level.HINT,
        "A run is requested as `latest` or the like, but there are no aliases.",
        _run_alias,
    ),
    Rule(
        "plus-in-path",
        Level.HINT,
        "The `+` in a run id became a space.",
        _plus_in_path,
    ),
    Rule(
        "escaped-twice",
        Level.HINT,
        "An id in the path is percent-encoded twice.",
        _escaped_twice,
    ),
    Rule(
        "slash-in-id",
        Level.REFUSED,
        "A run id with a slash is sent in a path.",
        _slash_in_id,
    ),
    Rule(
        "login-path",
        Level.REFUSED,
        "A token is requested at a wrong path.",
        _login_path,
    ),
    Rule(
        "health-path",
        Level.REFUSED,
        "Health is requested at the path of the other version.",
        _health_path,
    ),
    Rule(
        "unknown-path",
        Level.REFUSED,
        "No operation has this path.",
        _unknown_path,
        is_fallback=True,
    ),
)
