"""The clock: every request uses the one that all workers share."""

from collections.abc import Callable
from typing import Any

from flask import Response

from xcom_server.api import json_io
from xcom_server.emulator import shifts
from xcom_server.settings import Settings
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.store import XComStore


class ClockApi:
    """The operations of the clock."""

    def __init__(self, store: XComStore, state: EmulatorState, settings: Settings) -> None:
        self._state = state

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_clock": self.get_clock,
            "set_clock": self.set_clock,
            "reset_clock": self.reset_clock,
            "advance_clock": self.advance_clock,
        }

    def get_clock(self) -> Response:
        """Return the time that the clock shows."""
        return _shown(self._state.control().clock)

    def set_clock(self, body: dict[str, Any]) -> Response:
        """Stop the clock, or let it run."""
        return _shown(self._state.change_clock(lambda found: shifts.changed(found, body)))

    def advance_clock(self, body: dict[str, Any]) -> Response:
        """Move the clock forward."""
        seconds = body["seconds"]
        return _shown(self._state.change_clock(lambda found: shifts.advanced(found, seconds)))

    def reset_clock(self) -> Response:
        """Use the time of the machine again."""
        self._state.change_clock(lambda found: {})
        return Response(status=204)


def _shown(definition: dict[str, Any]) -> Response:
    is_frozen = "frozen_at" in definition
    return json_io.compact_json(
        {
            "now": shifts.now(definition).isoformat().replace("+00:00", "Z"),
            "is_frozen": is_frozen,
            "offset_seconds": None if is_frozen else definition.get("offset_seconds", 0),
        }
    )
