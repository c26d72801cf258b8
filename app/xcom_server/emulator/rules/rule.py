"""What a rule is, and the other requests of the same client, which some rules need."""

from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from xcom_server.emulator.rules.exchange import Exchange, Parameter, Parameters


class Level(StrEnum):
    """What a finding means for the verdict on a request that this server answered.

    With LENIENT, a real Airflow refuses the request or ignores a part of it. HINT does not change
    the verdict: a real Airflow does the same as this server, but probably not what was meant.
    REFUSED is for rules about requests that were refused.
    """

    LENIENT = "lenient"
    HINT = "hint"
    REFUSED = "refused"


@dataclass(frozen=True)
class Journal:
    """All requests of the journal in their order, by client, and what the server emulates."""

    exchanges: Sequence[Exchange]
    airflow_versions: tuple[str, ...]
    parameters: Parameters
    _by_client: dict[str, list[Exchange]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for each in self.exchanges:
            self._by_client[each.record.client].append(each)

    def of_client(self, exchange: Exchange) -> list[Exchange]:
        """Return the requests with the User-Agent of a request."""
        return self._by_client[exchange.record.client]

    def later(self, exchange: Exchange) -> list[Exchange]:
        """Return the later requests with the User-Agent of a request."""
        return [each for each in self.of_client(exchange) if each.number > exchange.number]

    def has(self, version: str) -> bool:
        """Return whether the emulated releases have a version of the API, "v1" or "v2"."""
        major = {"v1": "2.", "v2": "3."}.get(version, "")
        return any(each.startswith(major) for each in self.airflow_versions)

    def known(self, exchange: Exchange) -> dict[str, Parameter]:
        """Return the query parameters of a request's operation; empty if it is not known."""
        return dict(self.parameters.get(exchange.record.operation, {}))


@dataclass(frozen=True)
class Advice:
    """What a rule found in a request: the fields of a Finding, without the rule."""

    text: str
    instead: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule with its id, what it is about in one sentence, and the function that applies it.

    `explains` are the statuses of refused requests for which a finding is the reason.
    `is_fallback` is whether the rule applies only to refused requests without a reason.
    `after_faults` is whether it applies to errors that the control plane caused, too.
    """

    id: str
    level: Level
    sentence: str
    find: Callable[[Exchange, Journal], Advice | None]
    explains: Container[int] = range(400, 600)
    is_fallback: bool = False
    after_faults: bool = False
