"""Reset: what the store and the control plane have is removed."""

from collections.abc import Callable

from flask import Response

from xcom_server.settings import Settings
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.store import XComStore


class ControlApi:
    """The operations on the whole store."""

    def __init__(self, store: XComStore, state: EmulatorState, settings: Settings) -> None:
        self._store = store
        self._state = state

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {"reset": self.reset}

    def reset(self) -> Response:
        """Remove all data, faults and requests, and use the time of the machine."""
        self._store.clear()
        self._state.reset()
        return Response(status=204)
