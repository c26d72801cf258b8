"""Rules for refused requests in which no other rule found the reason."""

from xcom_server.emulator.rules.exchange import READ_ENTRY, Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule

_INVALID = (400, 422)


def _not_found(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.record.status != 404 or not exchange.name:
        return None
    if exchange.name in READ_ENTRY:
        return Advice(_NO_ENTRY, exchange.request(exchange.up_to("xcomEntries"), [], "GET"))
    for name, what in _OBJECTS.items():
        if f"/{name}/" in exchange.record.path:
            return Advice(
                f"The request names {what} that does not exist.",
                exchange.request(exchange.up_to(name), [], "GET"),
            )
    return None


_NO_ENTRY = (
    "The task has no such entry, or not yet: read it after the task has ended. An entry of a mapped"
    " task also needs map_index."
)
_OBJECTS = {
    "xcomEntries": "an entry, or its task instance,",
    "taskInstances": "a task instance, or its run,",
    "dagRuns": "a run, or its DAG,",
    "dags": "a DAG",
}


def _invalid_parameter(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.record.status not in _INVALID:
        return None
    names = [name for name, _ in exchange.parameters if f"'{name}'" in exchange.error]
    names += [str(each["loc"][-1]) for each in exchange.errors if each["loc"][0] == "query"]
    if "limit must be" in exchange.error:
        names = ["limit"]
    if not names:
        return None
    missing = [each for each in exchange.errors if each.get("type") == "missing"]
    what = "is missing" if missing else "has an invalid value"
    fixed = exchange.without(*names) if not missing else [(names[0], "1"), *exchange.parameters]
    return Advice(
        f"The parameter {', '.join(names)} {what}: {exchange.error}.",
        exchange.request(query=fixed),
    )


def _invalid_body(exchange: Exchange, _: Journal) -> Advice | None:
    of_query = any(each["loc"][0] == "query" for each in exchange.errors)
    has_body = exchange.record.method in ("POST", "PATCH", "PUT")
    if exchange.record.status not in _INVALID or of_query or not has_body:
        return None
    return Advice(
        f"The body is not valid: {exchange.error}.",
        f"{exchange.request()} with the fields of docs/operations.md",
    )


def _wrong_method(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.record.status != 405:
        return None
    path = exchange.record.path
    method = "PATCH" if exchange.record.method == "PUT" else "GET"
    return Advice(
        f"The path has no method {exchange.record.method}. The header Allow of the response lists"
        " its methods.",
        exchange.request(path, [], method),
    )


def _forbidden(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.record.status != 403:
        return None
    return Advice(
        "The credentials are right, but the role of the user does not allow the request.",
        f"{exchange.request()} as a user with another role",
    )


def _wrong_password(exchange: Exchange, _: Journal) -> Advice | None:
    record = exchange.record
    is_login = exchange.name.startswith("create_token")
    is_basic = exchange.version == "v1" and record.authorization == "basic"
    if record.status != 401 or not (is_login or is_basic):
        return None
    return Advice("No user has this name and this password.", f"{exchange.request()} with others")


RULES = (
    Rule(
        "not-found",
        Level.REFUSED,
        "The DAG, run, task instance or entry in the path does not exist.",
        _not_found,
        is_fallback=True,
    ),
    Rule(
        "invalid-parameter",
        Level.REFUSED,
        "A parameter of the query has an invalid value, or a required one is missing.",
        _invalid_parameter,
        is_fallback=True,
    ),
    Rule(
        "invalid-body",
        Level.REFUSED,
        "The body is not JSON, or a field has an invalid value.",
        _invalid_body,
        is_fallback=True,
    ),
    Rule(
        "wrong-method",
        Level.REFUSED,
        "The path does not have this method.",
        _wrong_method,
        is_fallback=True,
    ),
    Rule(
        "wrong-password",
        Level.REFUSED,
        "No user has this name and password.",
        _wrong_password,
        is_fallback=True,
    ),
    Rule(
        "forbidden",
        Level.REFUSED,
        "The user has no permission for the request.",
        _forbidden,
        is_fallback=True,
    ),
)
