"""Verdicts on the requests in the journal."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What the real Airflow does with a request.

    LENIENT means that this server answered, but a real Airflow refuses the request or ignores a
    part of it.
    """

    CONFORMS = "conforms"
    LENIENT = "lenient"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a request.

    `rule` is the id of the rule, such as `basic-on-v2`, which docs/rules.md explains. `text` is one
    sentence for the author of the client. `instead` is the nearest valid request, such as
    `GET /api/v2/…`, empty if there is none.
    """

    rule: str
    text: str
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Judgment:
    """The verdict on a request, its reason in words, and what the rules found.

    A request that conforms may have findings, for example that its page does not hold all items.
    """

    verdict: Verdict
    reason: str
    findings: tuple[Finding, ...] = ()
