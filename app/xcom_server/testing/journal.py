"""Requests in the journal, as objects."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from xcom_server.emulator.verdicts import Finding, Verdict

_MANY = 40
"""The most requests that a report shows."""

_RESPONSE = 300
"""The most characters of the start and the end of a response; in an entry, `value` is the last."""

_wrap = partial(
    textwrap.fill,
    width=96,
    initial_indent="   ",
    subsequent_indent="   ",
    break_long_words=False,
    break_on_hyphens=False,
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that the server received, its response, and the verdict on it.

    `path` and `query` are as they were sent. `operation` is the version and the operationId, as in
    `v2.get_xcom_entry`, and empty if the request matched no operation. `body` and `response` are
    texts, and are cut if they are long. Credentials in `headers` are masked. `reason` explains the
    verdict, and `findings` are what is wrong with the request. `raw` has everything that the
    control plane returned.
    """

    number: int
    method: str
    path: str
    query: str
    operation: str
    client: str
    headers: Mapping[str, str]
    body: str
    status: int
    content_type: str
    response: str
    fault: str
    verdict: Verdict
    reason: str
    findings: tuple[Finding, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, shown: Mapping[str, Any]) -> "Request":
        """Return a request as the control plane shows it."""
        names = {each.name for each in fields(cls)}
        given = {name: shown[name] for name in names & shown.keys()}
        return cls(
            **given
            | {
                "verdict": Verdict(shown["verdict"]),
                "findings": tuple(
                    Finding(each["rule"], each["text"], each.get("instead", ""))
                    for each in shown["findings"]
                ),
                "raw": shown,
            }
        )

    @property
    def target(self) -> str:
        """Return the path with the query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        """Return a line for the request, and some for each finding."""
        fault = f", fault {self.fault}" if self.fault else ""
        # The status is that of the server, and the client got none.
        status = "no response" if self.fault == "reset" else self.status
        head = f"{self.method} {self.target} -> {status}{fault} ({self.verdict})"
        reason = f": {self.reason}" if self.verdict != Verdict.CONFORMS and self.reason else ""
        return "\n".join([head + reason, *map(_line, self.findings)])


def shown(requests: Sequence[Request]) -> str:
    """Return the text of the requests, for a report.

    Of many, it has the first ones with findings and the last ones.
    """
    chosen = _chosen(requests)
    lines: list[str] = []
    previous = 0
    for number in chosen:
        lines += _gap(number - previous - 1)
        lines.append(f"{number}. {requests[number - 1]}")
        previous = number
    return "\n".join(lines)


def last_response(requests: Sequence[Request]) -> str:
    """Return the response to the last request, for a report; empty if the request was refused.

    The text of an error is a part of the verdict on a refused request.
    """
    if not requests or not requests[-1].response or requests[-1].status >= 400:
        return ""
    text = " ".join(requests[-1].response.split())
    if len(text) > 2 * _RESPONSE:
        text = f"{text[:_RESPONSE]} ... {text[-_RESPONSE:]}"
    return f"   Response: {text}"


def _chosen(requests: Sequence[Request]) -> Collection[int]:
    """Return the numbers of the requests to show, in their order."""
    numbers = range(1, len(requests) + 1)
    if len(requests) <= _MANY:
        return numbers
    found = [number for number in numbers if requests[number - 1].findings]
    return sorted({*found[: _MANY // 2], *numbers[-_MANY // 2 :]})


def _gap(count: int) -> list[str]:
    return [f"... {count} more; xcom.requests has the newest 1,000"] if count else []


def _line(finding: Finding) -> str:
    lines = [f"[{finding.rule}] {finding.text}"]
    if finding.instead:
        lines.append(f"Instead: {finding.instead}")
    return "\n".join(_wrap(line) for line in lines)
