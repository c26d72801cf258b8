"""The plan of a run: rounds, durations, databases and peers."""

from dataclasses import dataclass

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

SECTIONS = ("in-process", "served", "runs", "growth", "starts", "memory", "peers")
"""The sections, in the order in which they run."""


@dataclass(frozen=True)
class Plan:
    """The options of the command line."""

    rounds: int = 5
    seconds: int = 1
    """The duration of a run of wrk; runs against peers, which are slow, take longer."""

    quick: bool = False
    databases: tuple[str, ...] = (SQLITE, POSTGRESQL)
    peers: tuple[str, ...] = ()
    entries: int = 100_000

    @property
    def first(self) -> tuple[str, ...]:
        """The databases for sections whose figures hardly depend on the database."""
        return self.databases[:1] if self.quick else self.databases

    @property
    def few(self) -> int:
        """The number of rounds of measurements that take long and vary little."""
        return 1 if self.quick else min(self.rounds, 3)
