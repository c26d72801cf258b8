"""Rules about the parameters of a query: unknown ones, and lists of values."""

import re
from difflib import get_close_matches

from xcom_server.emulator.rules.exchange import TOKENS, Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule

PAGE_NUMBERS = ("page", "page_number", "page_size", "per_page", "pageSize", "pageNumber", "size")
_OTHER_RULES = re.compile(r"(?:execution|logical)_date.*|update_mask")
_REFUSED = re.compile(r"Extra query parameter\(s\) (.+) not in spec")
_SPACE_FOR_PLUS = re.compile(r"(T\d\d:\d\d.*) (\d\d:?\d\d)")


def _unknown(exchange: Exchange, journal: Journal) -> list[str]:
    """Return the names of the parameters that the operation does not have."""
    if exchange.version == "v1":
        refused = _REFUSED.search(exchange.error)
        return refused[1].split(", ") if refused else []
    known = journal.known(exchange)
    if exchange.version != "v2" or not exchange.name or not journal.parameters:
        return []
    return list(dict.fromkeys(name for name, _ in exchange.parameters if name not in known))


def _unknown_parameter(exchange: Exchange, journal: Journal) -> Advice | None:
    unknown = _unknown(exchange, journal)
    names = [
        name for name in unknown if name not in PAGE_NUMBERS and not _OTHER_RULES.fullmatch(name)
    ]
    if not names:
        return None
    does = "Airflow 2 refuses it with a 400" if exchange.version == "v1" else "Airflow 3 ignores it"
    fixed, close = exchange.without(*unknown), _close(names[0], journal, exchange)
    if close and close not in dict(exchange.parameters):
        fixed = [*fixed, (close, dict(exchange.parameters).get(names[0], ""))]
    return Advice(
        f"The operation has no parameter {', '.join(names)}: {does}.{_special(names, exchange)}",
        exchange.request(query=fixed) + _credentials(names, exchange.version),
    )


def _special(names: list[str], exchange: Exchange) -> str:
    if any(name.lower() in TOKENS for name in names):
        return (
            " Credentials are never read from the URL; they are sent in the Authorization header."
        )
    if "=" not in exchange.record.query:
        return " If the ? is a part of the key, send it as %3F."
    return ""


def _credentials(names: list[str], version: str) -> str:
    if not any(name.lower() in TOKENS for name in names):
        return ""
    kind = "Bearer TOKEN" if version == "v2" else "Basic BASE64(NAME:PASSWORD)"
    return f" with the header Authorization: {kind}"


def _close(name: str, journal: Journal, exchange: Exchange) -> str:
    found = get_close_matches(name, journal.known(exchange), n=1, cutoff=0.8)
    return found[0] if found else ""


def _page_number(exchange: Exchange, journal: Journal) -> Advice | None:
    if not any(name in PAGE_NUMBERS for name in _unknown(exchange, journal)):
        return None
    sizes = ("page_size", "per_page", "pageSize", "size")
    size = next(filter(None, map(exchange.number_of, sizes)), 50)
    page = next(filter(None, map(exchange.number_of, ("page", "page_number", "pageNumber"))), 1)
    does = "refuses it with a 400" if exchange.version == "v1" else "ignores it"
    query = [*exchange.without(*PAGE_NUMBERS, "limit", "offset"), ("limit", str(size))]
    return Advice(
        f"Lists have no page numbers: Airflow {does}, so that in v2 every page is the first one."
        if exchange.version == "v2"
        else f"Lists have no page numbers: Airflow {does}.",
        exchange.request(query=[*query, ("offset", str(max(page - 1, 0) * size))]),
    )


def _comma_list_on_v2(exchange: Exchange, journal: Journal) -> Advice | None:
    known = journal.known(exchange)
    if exchange.version != "v2" or not (exchange.is_empty or _can_be_wrong(exchange)):
        return None
    lists = [
        name
        for name, value in exchange.parameters
        if "," in value and name in known and known[name].is_list
    ]
    if not lists:
        return None
    return Advice(
        f"v2 reads {', '.join(lists)} with a comma as one value. Repeat the parameter for each"
        " value.",
        exchange.request(query=_repeated(exchange, lists)),
    )


def _can_be_wrong(exchange: Exchange) -> bool:
    """Return whether it failed, or is /wait: no task id contains a comma."""
    return not exchange.is_answered or exchange.parameter("result") is not None


def _repeated(exchange: Exchange, lists: list[str]) -> list[tuple[str, str]]:
    return [
        (name, each)
        for name, value in exchange.parameters
        for each in (value.split(",") if name in lists else [value])
    ]


def _exploded_list_on_v1(exchange: Exchange, journal: Journal) -> Advice | None:
    known, names = journal.known(exchange), [name for name, _ in exchange.parameters]
    repeated = {
        name
        for name in names
        if names.count(name) > 1 and name in known
        if not known[name].is_repeated or not known[name].is_list
    }
    if exchange.version != "v1" or not repeated:
        return None
    joined = {
        name: ",".join(value for other, value in exchange.parameters if other == name)
        if known[name].is_list
        else exchange.parameter(name) or ""
        for name in sorted(repeated)
    }
    return Advice(
        f"v1 uses only the last {', '.join(sorted(repeated))}. A list has commas between its"
        " values, and other parameters have one value.",
        exchange.request(query=[*exchange.without(*repeated), *joined.items()]),
    )


def _plus_in_query(exchange: Exchange, _: Journal) -> Advice | None:
    fixed = [(name, _SPACE_FOR_PLUS.sub(r"\1+\2", value)) for name, value in exchange.parameters]
    if exchange.record.status not in (400, 422) or fixed == exchange.parameters:
        return None
    return Advice(
        "A + in a query is a space, so the time zone of the date is lost. Send it as %2B.",
        exchange.request(query=fixed),
    )


RULES = (
    Rule(
        "unknown-parameter",
        Level.LENIENT,
        "The query has a parameter that the operation does not have.",
        _unknown_parameter,
    ),
    Rule(
        "page-number",
        Level.LENIENT,
        "A page is selected by its number, but lists have `limit` and `offset`.",
        _page_number,
    ),
    Rule(
        "comma-list-on-v2",
        Level.HINT,
        "v2 gets several values with commas between them in one parameter.",
        _comma_list_on_v2,
    ),
    Rule(
        "exploded-list-on-v1",
        Level.HINT,
        "v1 gets a parameter several times, but uses only the last one.",
        _exploded_list_on_v1,
    ),
    Rule(
        "plus-in-query",
        Level.REFUSED,
        "A date in the query has a `+` that is not percent-encoded.",
        _plus_in_query,
    ),
)
