"""The data of the store as a whole: reset, seed and snapshots."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from flask import Response

from xcom_server import seed_file
from xcom_server.api import json_io, work_memory
from xcom_server.settings import Settings
from xcom_server.storage.dags import SeedDag
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.models import SeedEntry
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.snapshots import Snapshot
from xcom_server.storage.store import XComStore


class ControlApi:
    """The operations on the whole store."""

    def __init__(self, store: XComStore, state: EmulatorState, settings: Settings) -> None:
        self._store = store
        self._state = state

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "reset": self.reset,
            "seed": self.seed,
            "list_snapshots": self.list_snapshots,
            "save_snapshot": self.save_snapshot,
            "delete_snapshot": self.delete_snapshot,
            "restore_snapshot": self.restore_snapshot,
        }

    def reset(self) -> Response:
        """Remove all data, faults and requests, and use the time of the machine."""
        self._store.clear()
        self._state.reset()
        return Response(status=204)

    def seed(self, body: bytes) -> Response:
        """Load a seed file, and return how many rows of each kind it has."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise seed_file.InvalidSeedFile("not UTF-8") from None
        work_memory.reserve([text], copies=2)
        rows = seed_file.read(text)
        self._store.load(rows)
        counts = Counter(map(type, rows))
        return json_io.compact_json(
            {
                "dags": counts[SeedDag],
                "dag_runs": counts[SeedRun],
                "entries": counts[SeedEntry],
            }
        )

    def list_snapshots(self) -> Response:
        """Return all snapshots."""
        return json_io.compact_json({"snapshots": [*map(_shown, self._store.snapshots.list())]})

    def save_snapshot(self, name: str) -> Response:
        """Save a snapshot, or replace one."""
        snapshot, is_new = self._store.snapshots.save(name)
        return json_io.compact_json(_shown(snapshot), 201 if is_new else 200)

    def delete_snapshot(self, name: str) -> Response:
        """Delete a snapshot."""
        self._store.snapshots.delete(name)
        return Response(status=204)

    def restore_snapshot(self, name: str) -> Response:
        """Replace all data by a snapshot."""
        return json_io.compact_json(_shown(self._store.snapshots.restore(name)))


def _shown(snapshot: Snapshot) -> dict[str, Any]:
    created_at = snapshot.created_at.isoformat().replace("+00:00", "Z")
    return {**snapshot._asdict(), "created_at": created_at}
