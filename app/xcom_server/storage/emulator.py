"""The state of the emulator's control plane, which all workers and hosts of a server share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

MAX_REQUESTS = 1000  # the number of requests in the journal


class StoredFault(NamedTuple):
    """A fault: its number, its definition as JSON-like data, and how often it was applied.

    In Control, the last one may be out of date: EmulatorState.applied_faults() counts.
    """

    number: int
    definition: dict[str, Any]
    applied: int


class Control(NamedTuple):
    """What every worker obeys.

    `version` increases with every change. `clock` is the definition of the clock as JSON-like data,
    empty for the time of the machine.
    """

    version: int
    clock: dict[str, Any]
    faults: tuple[StoredFault, ...]


NOTHING = Control(0, {}, ())


class EmulatorState(ABC):
    """The clock, the faults and the journal.

    Every method raises errors.Unavailable if the database is unavailable.
    """

    @abstractmethod
    def prepare(self) -> None:
        """Create the tables, unless they exist; keep no connection open."""

    @abstractmethod
    def control(self) -> Control:
        """Return the clock and the faults; one SELECT unless they have changed."""

    @abstractmethod
    def change_clock(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        """Replace the definition of the clock by what `change` returns for it, and return that.

        `change` may be called several times; if it raises, nothing is changed.
        """

    @abstractmethod
    def add_fault(self, definition: dict[str, Any], times: int | None = None) -> StoredFault:
        """Add a fault, which can be applied `times` times, None for any number."""

    @abstractmethod
    def remove_fault(self, number: int) -> bool:
        """Remove a fault, and return whether it existed."""

    @abstractmethod
    def remove_faults(self) -> None:
        """Remove all faults."""

    @abstractmethod
    def apply_fault(self, number: int) -> bool:
        """Count that a fault is applied, and return whether it may be.

        However many workers call this at once, a fault is applied at most as often as was said.
        """

    @abstractmethod
    def release_fault(self, number: int) -> None:
        """Take back one call of `apply_fault`, because the fault had no effect."""

    @abstractmethod
    def match_fault(self, number: int) -> int:
        """Count a request that matches a fault, and return how many there were before it.

        A fault that was removed has 0.
        """

    @abstractmethod
    def applied_faults(self) -> dict[int, int]:
        """Return how often each fault was applied, by number."""

    @abstractmethod
    def record(self, request: dict[str, Any]) -> None:
        """Add a request to the journal, and remove the oldest beyond MAX_REQUESTS."""

    @abstractmethod
    def requests(self, *, after: int = 0) -> Sequence[tuple[int, dict[str, Any]]]:
        """Return the requests whose numbers are greater than `after`, oldest first."""

    @abstractmethod
    def clear_requests(self) -> None:
        """Empty the journal."""

    @abstractmethod
    def reset(self) -> None:
        """Remove the faults, empty the journal, and use the time of the machine again."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
