"""Rules about requests that are sent again and again."""

from datetime import datetime

from xcom_server.emulator.rules.exchange import READ_ENTRY, Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule

_POLLS = 10  # of health in a row, from which on they are reported
_MISSES = 5  # of one entry in a row
_ATTEMPTS = 4  # in a row after a 429 or 503
_PAUSE = 0.5  # seconds between attempts that are too few


def _before(exchange: Exchange, journal: Journal, count: int) -> list[Exchange]:
    """Return the newest requests of a client up to this one, at most `count`."""
    requests = journal.of_client(exchange)
    end = next(index for index, each in enumerate(requests, 1) if each is exchange)
    return requests[max(end - count, 0) : end]


def _health_for_ever(exchange: Exchange, journal: Journal) -> Advice | None:
    if not _waits_for_scheduler(exchange):
        return None
    polls = _before(exchange, journal, _POLLS)
    if len(polls) < _POLLS or not all(map(_waits_for_scheduler, polls)):
        return None
    return Advice(
        f"This client has read health {_POLLS} times in a row, and the scheduler is unhealthy. It"
        " stays so, because this server has none: start it with --scheduler-healthy true.",
    )


def _waits_for_scheduler(exchange: Exchange) -> bool:
    health = exchange.response.get("scheduler")
    return isinstance(health, dict) and health.get("status") == "unhealthy"


def _poll_without_run(exchange: Exchange, journal: Journal) -> Advice | None:
    if not _misses(exchange):
        return None
    polls = _before(exchange, journal, _MISSES)
    if len(polls) < _MISSES or not all(_misses_too(each, exchange) for each in polls):
        return None
    run = exchange.record.path.partition("/taskInstances/")[0]
    return Advice(
        f"This client has polled a missing entry {_MISSES} times in a row, but not its run. Here"
        " most scripts take their next step only when the run is read.",
        f"GET {run}",
    )


def _misses(exchange: Exchange) -> bool:
    return exchange.name in READ_ENTRY and exchange.record.status == 404


def _misses_too(exchange: Exchange, other: Exchange) -> bool:
    return _misses(exchange) and exchange.record.path == other.record.path


def _retry_storm(exchange: Exchange, journal: Journal) -> Advice | None:
    if not _is_busy(exchange):
        return None
    attempts = _before(exchange, journal, _ATTEMPTS)
    if len(attempts) < _ATTEMPTS or not all(map(_is_busy, attempts)):
        return None
    pauses = zip(map(_end, attempts), map(_start, attempts[1:]), strict=False)
    if any(start - end >= _PAUSE for end, start in pauses):
        return None
    return Advice(
        f"This client got {exchange.record.status} {_ATTEMPTS} times in a row and sent the next"
        " request at once each time. Wait for the seconds in Retry-After, and longer after each"
        " failure.",
        f"{exchange.request()} after the seconds in Retry-After",
    )


def _is_busy(exchange: Exchange) -> bool:
    return exchange.record.status in (429, 503)


def _start(exchange: Exchange) -> float:
    return datetime.fromisoformat(exchange.record.at).timestamp()


def _end(exchange: Exchange) -> float:
    return _start(exchange) + exchange.record.milliseconds / 1000


RULES = (
    Rule(
        "health-for-ever",
        Level.HINT,
        "The client polls health for a healthy scheduler, which this server is set not to have.",
        _health_for_ever,
        explains=(),
    ),
    Rule(
        "poll-without-run",
        Level.HINT,
        "The client polls an entry but never its run, which takes no step.",
        _poll_without_run,
        explains=(),
    ),
    Rule(
        "retry-storm",
        Level.HINT,
        "The client repeats a request at once after a 429 or a 503.",
        _retry_storm,
        explains=(),
        after_faults=True,
    ),
)
