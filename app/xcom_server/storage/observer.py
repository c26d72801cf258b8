"""What a store reports about its work, for metrics."""

from typing import Literal


class Observer:
    """Receives what a store reports; this one ignores it."""

    def operation(self, kind: Literal["read", "write"], seconds: float) -> None:
        """A statement or transaction ended, well or not, after so many seconds."""

    def connection_taken(self) -> None:
        """A request took a connection of the pool."""

    def connection_returned(self) -> None:
        """A request returned a connection to the pool."""
