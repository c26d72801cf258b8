"""Rules about the differences between v1 and v2."""

from xcom_server.emulator.rules.exchange import TRIGGER, Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule

_WRITES = ("updateXComEntry", "updateXComValue", "deleteXComValue")
_OLD, _NEW = "execution_date", "logical_date"


def _renamed(exchange: Exchange, old: str, new: str) -> list[tuple[str, str]]:
    """Return the parameters with the other name of the date."""
    return [
        (name.replace(old, new), value.replace(old, new) if name == "order_by" else value)
        for name, value in exchange.parameters
    ]


def _uses(exchange: Exchange, date: str) -> bool:
    """Return whether the query filters or orders by a date with this name."""
    return any(
        name.startswith(date) or (name == "order_by" and date in value)
        for name, value in exchange.parameters
    )


def _v1_on_airflow_3(exchange: Exchange, journal: Journal) -> Advice | None:
    if exchange.version != "v1" or journal.has("v1"):
        return None
    path = exchange.record.path.replace("/api/v1", "/api/v2", 1)
    path = path.replace("/api/v2/health", "/api/v2/monitor/health")
    return Advice(
        "Airflow 3 has no /api/v1: a GET below it gets a 404, and any other method a 405. v2 also"
        " requires a token from /auth/token, and it has other names (logical_date).",
        exchange.request(path, _renamed(exchange, _OLD, _NEW)),
    )


def _v2_on_airflow_2(exchange: Exchange, journal: Journal) -> Advice | None:
    is_v2 = exchange.version == "v2" or exchange.record.path.startswith("/auth/token")
    if not is_v2 or journal.has("v2"):
        return None
    if exchange.version != "v2":
        return Advice(
            "Airflow 2 has no /auth/token: its API requires Basic credentials with every request.",
            "GET /api/v1/dags with the header Authorization: Basic BASE64(NAME:PASSWORD)",
        )
    path = exchange.record.path.replace("/api/v2", "/api/v1", 1)
    path = path.replace("/api/v1/monitor/health", "/api/v1/health")
    return Advice(
        "Airflow 2 has no /api/v2: every request below it gets a 404.",
        exchange.request(path, _renamed(exchange, _NEW, _OLD)),
    )


def _deserialize_on_v1(exchange: Exchange, _: Journal) -> Advice | None:
    wanted = (exchange.parameter("deserialize") or "").lower() == "true"
    if not wanted or exchange.record.operation != "v1.getXComValue":
        return None
    return Advice(
        "deserialize=true is a 400 in Airflow 2, unless its administrator has set [api]"
        " enable_xcom_deserialize_support.",
        exchange.request(query=[*exchange.without("deserialize", "stringify"), _NATIVE]),
    )


_NATIVE = ("stringify", "false")


def _execution_date_on_v2(exchange: Exchange, _: Journal) -> Advice | None:
    in_body = any(name.startswith(_OLD) for name in exchange.body)
    if exchange.version != "v2" or not (in_body or _uses(exchange, _OLD)):
        return None
    if in_body:
        dates = {name: each for name, each in exchange.body.items() if name.startswith(_OLD)}
        renamed = {name.replace(_OLD, _NEW): each for name, each in dates.items()}
        return Advice(
            "v2 has no execution_date: an unknown field in the body is a 422. The date is called"
            " logical_date.",
            exchange.with_body({**dict.fromkeys(dates, ...), **renamed}),
        )
    return Advice(
        "v2 has no execution_date: Airflow 3 ignores the filter and returns all items, and"
        " refuses the order. The date is called logical_date.",
        exchange.request(query=_renamed(exchange, _OLD, _NEW)),
    )


def _logical_date_on_v1(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.version != "v1" or exchange.record.status != 400:
        return None
    if _uses(exchange, _NEW):
        return Advice(
            "v1 has no filter or order by logical_date, and an unknown parameter is a 400. The"
            " date is called execution_date.",
            exchange.request(query=_renamed(exchange, _NEW, _OLD)),
        )
    if exchange.name in TRIGGER and _NEW in exchange.body and exchange.body[_NEW] is None:
        return Advice(
            "A logical_date of null is for v2 only. v1 uses the current time if the field is"
            " missing.",
            exchange.with_body({_NEW: ...}),
        )
    return None


def _logical_date_missing(exchange: Exchange, _: Journal) -> Advice | None:
    is_missing = any(each["loc"] == ["body", _NEW] for each in exchange.errors)
    if exchange.name != "trigger_dag_run" or not is_missing or _NEW in exchange.body:
        return None
    return Advice(
        "Airflow 3 requires logical_date when a run is triggered. Without a date, it is null.",
        exchange.with_body({_OLD: ..., _NEW: exchange.body.get(_OLD)}),
    )


def _write_on_v1(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.version != "v1" or exchange.name not in _WRITES:
        return None
    path = exchange.record.path.replace("/api/v1", "/api/v2", 1)
    return Advice(
        "No released Airflow 2 can write XCom entries with its API: a real one responds with a 405."
        " v2 can, with any JSON value.",
        exchange.request(path, exchange.without("update_mask")),
    )


def _update_mask_on_v2(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.name != "update_xcom_entry" or exchange.parameter("update_mask") is None:
        return None
    return Advice(
        "Airflow 3 ignores update_mask in the PATCH of an entry: the value in the body is always"
        " stored, and only the value can be in it.",
        exchange.request(query=exchange.without("update_mask")),
    )


def _boolean_on_v1(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.version != "v1" or "expected 'boolean'" not in exchange.error:
        return None
    words = {"1": "true", "yes": "true", "on": "true", "0": "false", "no": "false", "off": "false"}
    fixed = [(name, words.get(value.lower(), value)) for name, value in exchange.parameters]
    return Advice(
        "v1 accepts only true and false for a boolean parameter; v2 also accepts 1, 0 and others.",
        exchange.request(query=fixed if fixed != exchange.parameters else []),
    )


RULES = (
    Rule(
        "v1-on-airflow-3",
        Level.REFUSED,
        "v1 is requested from Airflow 3, which does not have it.",
        _v1_on_airflow_3,
    ),
    Rule(
        "v2-on-airflow-2",
        Level.REFUSED,
        "v2 or a token is requested from Airflow 2, which has neither.",
        _v2_on_airflow_2,
    ),
    Rule(
        "deserialize-on-v1",
        Level.LENIENT,
        "`deserialize=true` is sent to v1, which refuses it by default.",
        _deserialize_on_v1,
    ),
    Rule(
        "execution-date-on-v2",
        Level.LENIENT,
        "`execution_date` is sent to v2, in which the date is `logical_date`.",
        _execution_date_on_v2,
    ),
    Rule(
        "logical-date-on-v1",
        Level.REFUSED,
        "A filter, an order or a null of v2's `logical_date` is sent to v1.",
        _logical_date_on_v1,
    ),
    Rule(
        "logical-date-missing",
        Level.REFUSED,
        "A run is triggered in v2 without `logical_date`, which is required even if it is null.",
        _logical_date_missing,
    ),
    Rule(
        "write-on-v1",
        Level.LENIENT,
        "An XCom entry is written with v1, which only this server can do.",
        _write_on_v1,
        explains=(),
    ),
    Rule(
        "update-mask-on-v2",
        Level.LENIENT,
        "`update_mask` is sent with the PATCH of an entry to v2, which ignores it.",
        _update_mask_on_v2,
        explains=(),
    ),
    Rule(
        "boolean-on-v1",
        Level.REFUSED,
        "A boolean parameter of v1 is neither `true` nor `false`.",
        _boolean_on_v1,
    ),
)
