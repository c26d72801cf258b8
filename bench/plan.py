"""What a run of the benchmark does: how often, how long, on which databases, beside whom."""

from dataclasses import dataclass

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

SECTIONS = ("in-process", "served", "growth", "starts", "memory", "peers")
"""What is measured, in this order."""


@dataclass(frozen=True)
class Plan:
    """What the command line asked for."""

    rounds: int = 5
    seconds: int = 1
    """How long wrk drives one contender in one round; peers, which are slow, for longer."""

    quick: bool = False
    databases: tuple[str, ...] = (SQLITE, POSTGRESQL)
    peers: tuple[str, ...] = ()
    entries: int = 100_000

    @property
    def first(self) -> tuple[str, ...]:
        """Return on which databases that is measured which is much the same on all."""
        return self.databases[:1] if self.quick else self.databases

    @property
    def few(self) -> int:
        """How many rounds there are of what takes long and varies little."""
        return 1 if self.quick else min(self.rounds, 3)
