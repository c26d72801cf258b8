"""Snapshots: named copies of everything in a store, which the emulator saves and restores."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

MAX_SNAPSHOTS = 100


class Snapshot(NamedTuple):
    """A saved copy: its name, the time at which it was saved, and numbers of rows."""

    name: str
    created_at: datetime
    dags: int
    dag_runs: int
    entries: int


class SnapshotStore(Protocol):
    """The snapshots of a store, in the same database.

    Each change is one transaction: other requests see the store before or after it.  Every method
    raises errors.Unavailable if the database is unavailable.
    """

    def prepare(self) -> None:
        """Create the table of snapshots, unless it exists; keep no connection open."""

    def list(self) -> Sequence[Snapshot]:
        """Return all snapshots, ordered by name."""

    def save(self, name: str) -> tuple[Snapshot, bool]:
        """Copy the store, and return the snapshot and whether its name is new.

        A snapshot with the same name is replaced.  Raises TooManySnapshots.
        """

    def restore(self, name: str) -> Snapshot:
        """Replace everything in the store by a snapshot, which is kept.

        Raises SnapshotNotFound, and SnapshotOutdated if the schema has changed since.
        """

    def delete(self, name: str) -> None:
        """Delete a snapshot.  Raises SnapshotNotFound."""
