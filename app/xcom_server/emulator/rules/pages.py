"""Rules about the pages of lists."""

from xcom_server.emulator.rules.exchange import Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule

MAXIMUM = 100  # items of a page of Airflow, [api] maximum_page_limit
_DEFAULTS = {"v1": 100, "v2": 50}
_NOT_CLAMPED = ("get_task_instances", "get_mapped_task_instances")  # of v1


def _is_list(exchange: Exchange) -> bool:
    return exchange.version in _DEFAULTS and exchange.record.items is not None


def _offset(exchange: Exchange) -> int:
    return exchange.number_of("offset") or 0


def _limit_zero(exchange: Exchange, _: Journal) -> Advice | None:
    if not _is_list(exchange) or exchange.number_of("limit") != 0:
        return None
    does = "the default, 100 items" if exchange.version == "v1" else "no items, only the total"
    return Advice(
        f"limit=0 does not return all items. In {exchange.version} it means {does}.",
        exchange.request(query=[*exchange.without("limit"), ("limit", str(MAXIMUM))]),
    )


def _is_clamped(exchange: Exchange) -> bool:
    limit = exchange.number_of("limit") or 0
    never = exchange.version == "v1" and exchange.name in _NOT_CLAMPED
    return _is_list(exchange) and not never and limit > MAXIMUM >= (exchange.record.items or 0)


def _limit_clamped(exchange: Exchange, _: Journal) -> Advice | None:
    if not _is_clamped(exchange):
        return None
    return Advice(
        f"A limit above {MAXIMUM} is lowered to {MAXIMUM} without an error. Read the next page with"
        " offset.",
        exchange.request(query=[*exchange.without("limit"), ("limit", str(MAXIMUM))]),
    )


def _page_cut(exchange: Exchange, journal: Journal) -> Advice | None:
    total, items = exchange.record.total_entries, exchange.record.items
    if not _is_list(exchange) or not total or not items or not _is_unlimited(exchange):
        return None
    end = _offset(exchange) + items
    if total <= end or _is_continued(exchange, journal):
        return None
    return Advice(
        f"The page has {items} of {total} items, and this client has not read the next one.",
        exchange.request(query=[*exchange.without("offset"), ("offset", str(end))]),
    )


def _is_unlimited(exchange: Exchange) -> bool:
    """Return whether the server, not the client, decided how many items the page has."""
    limit = exchange.parameter("limit")
    if limit is None:
        return exchange.record.method == "GET"
    return limit == "0" or _is_clamped(exchange)


def _is_continued(exchange: Exchange, journal: Journal) -> bool:
    query = exchange.without("offset", "limit")
    return any(
        each.record.path == exchange.record.path
        and _offset(each) > _offset(exchange)
        and each.without("offset", "limit") == query
        for each in journal.of_client(exchange)
    )


RULES = (
    Rule(
        "page-cut",
        Level.HINT,
        "A list has more items than the page, and the client does not read the next page.",
        _page_cut,
        explains=(),
    ),
    Rule(
        "limit-clamped",
        Level.LENIENT,
        "`limit` is above the maximum of 100, to which it is lowered without an error.",
        _limit_clamped,
        explains=(),
    ),
    Rule(
        "limit-zero",
        Level.HINT,
        "`limit=0` selects the default page size in v1 and an empty page in v2.",
        _limit_zero,
        explains=(),
    ),
)
