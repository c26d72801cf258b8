"""The verdicts on the requests in the journal, computed when the journal is read."""

import logging
from collections.abc import Iterable, Sequence

from xcom_server.emulator.records import RequestRecord
from xcom_server.emulator.rules import RULES
from xcom_server.emulator.rules.exchange import Exchange, Parameters
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule
from xcom_server.emulator.verdicts import Finding, Judgment, Verdict

_log = logging.getLogger(__name__)
_Found = list[tuple[Rule, Finding]]
_NO_PARAMETERS: Parameters = {}


def judge(
    requests: Sequence[tuple[int, RequestRecord]],
    *,
    airflow_versions: tuple[str, ...],
    parameters: Parameters = _NO_PARAMETERS,
) -> dict[int, Judgment]:
    """Return the verdict on each request by its number.

    `requests` are in the order of their numbers. `airflow_versions` are the releases that the
    server emulates, such as "2.10.5". `parameters` are the query parameters of each operation,
    without which no rule can report that v2 ignores one.
    """
    exchanges = [Exchange(number, record) for number, record in requests]
    journal = Journal(exchanges, airflow_versions, parameters)
    return {each.number: _judgment(each, journal) for each in exchanges}


def _judgment(exchange: Exchange, journal: Journal) -> Judgment:
    if exchange.record.fault and not exchange.is_answered:
        found = _apply((rule for rule in RULES if rule.after_faults), exchange, journal)
        reason = f"The control plane made this response, with the fault {exchange.record.fault}."
        return Judgment(Verdict.CONFORMS, reason, tuple(finding for _, finding in found))
    found = _findings(exchange, journal)
    findings = tuple(finding for _, finding in found)
    if not exchange.is_answered:
        return Judgment(Verdict.REFUSED, _refusal(exchange), findings)
    for rule, finding in found:
        if rule.level == Level.LENIENT:
            return Judgment(Verdict.LENIENT, finding.text, findings)
    return Judgment(Verdict.CONFORMS, "", findings)


def _findings(exchange: Exchange, journal: Journal) -> _Found:
    """Return what the rules found, the reason of a refused request first."""
    found = _apply((rule for rule in RULES if not rule.is_fallback), exchange, journal)
    if exchange.is_answered:
        return found
    status = exchange.record.status
    if not any(status in rule.explains for rule, _ in found):
        found += _apply((rule for rule in RULES if rule.is_fallback), exchange, journal)[:1]
    return sorted(found, key=lambda each: status not in each[0].explains)


def _apply(rules: Iterable[Rule], exchange: Exchange, journal: Journal) -> _Found:
    found = ((rule, _found_by(rule, exchange, journal)) for rule in rules)
    return [
        (rule, Finding(rule.id, advice.text, advice.instead)) for rule, advice in found if advice
    ]


def _found_by(rule: Rule, exchange: Exchange, journal: Journal) -> Advice | None:
    """Apply a rule. One that fails finds nothing, so that the journal can be read in any case."""
    try:
        return rule.find(exchange, journal)
    except Exception:
        _log.exception("The rule %s failed for request %d.", rule.id, exchange.number)
        return None


def _refusal(exchange: Exchange) -> str:
    """Return the status with its phrase and the text of the error."""
    status = f"{exchange.record.status} {exchange.phrase}".strip()
    return f"{status}: {exchange.error}" if exchange.error else status
