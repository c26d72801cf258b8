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
    if exchange.record.status not in _INVALID or not exchange.parameters:
        return _missing_parameter(exchange)
    names = {name for name, value in exchange.parameters if _is_named(name, value, exchange)}
    names |= {str(each["loc"][-1]) for each in exchange.errors if each["loc"][0] == "query"}
    if not names:
        return None
    return _missing_parameter(exchange) or Advice(
        f"The parameter {', '.join(sorted(names))} has an invalid value: {exchange.error}.",
        exchange.request(query=exchange.without(*names)),
    )


def _missing_parameter(exchange: Exchange) -> Advice | None:
    missing = [
        str(each["loc"][-1])
        for each in exchange.errors
        if each["loc"][0] == "query" and each.get("type") == "missing"
    ]
    if not missing:
        return None
    return Advice(
        f"The parameter {missing[0]} is required.",
        exchange.request(query=[*exchange.parameters, *((name, "1") for name in missing)]),
    )


def _is_named(name: str, value: str, exchange: Exchange) -> bool:
    """Return whether the text of the error is about a parameter, or quotes its value."""
    error = exchange.error
    if f"'{name}'" in error or _WORDS.get(name, f" {name} ") in error:
        return True
    return bool(value) and (f"'{value}'" in error or error.startswith(f"{value} is "))


_WORDS = {"order_by": "Ordering with", "limit": "limit must be"}


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


_ANOTHER_USER = "{} with the name and the password of an existing user"


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
    return Advice(
        "No user has this name and this password.", _ANOTHER_USER.format(exchange.request())
    )


def _invalid_path(exchange: Exchange, _: Journal) -> Advice | None:
    of_path = any(each["loc"][0] == "path" for each in exchange.errors)
    is_read = exchange.record.method in ("GET", "HEAD", "DELETE")
    if exchange.record.status not in _INVALID or not (of_path or is_read):
        return None
    return Advice(
        f"An id in the path or a text in the query is not valid: {exchange.error}. Ids have at most"
        " 250 characters, in UTF-8 and without NUL.",
    )


def _other_refusal(exchange: Exchange, _: Journal) -> Advice | None:
    reason = _REASONS.get(exchange.record.status)
    return Advice(reason) if reason else None


_REASONS = {
    406: "The response has no media type of the header Accept.",
    409: "The state of the object does not allow the request.",
    412: "The object has another ETag than the one in If-Match, or it exists (If-None-Match).",
    413: "The body is too large.",
    421: "The header Host is not a name of this server.",
    429: "There were too many wrong passwords, or too many at once. Wait as long as Retry-After.",
    503: "The database is unavailable or busy. Wait as long as Retry-After.",
    507: "The response would be too large. Request a smaller page.",
}


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
    Rule(
        "invalid-path",
        Level.REFUSED,
        "An id in the path, or a text in the query, cannot exist.",
        _invalid_path,
        is_fallback=True,
    ),
    Rule(
        "other-refusal",
        Level.REFUSED,
        "The server refused the request for another reason.",
        _other_refusal,
        is_fallback=True,
    ),
)
