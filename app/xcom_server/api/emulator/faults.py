"""The operations of faults."""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.api import json_io
from xcom_server.api.emulator import injection, operations
from xcom_server.emulator import faults
from xcom_server.settings import Settings
from xcom_server.storage.emulator import EmulatorState, StoredFault
from xcom_server.storage.store import XComStore


class FaultApi:
    """The operations of faults."""

    def __init__(self, store: XComStore, state: EmulatorState, settings: Settings) -> None:
        self._state = state

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "list_faults": self.list_faults,
            "create_fault": self.create_fault,
            "remove_faults": self.remove_faults,
            "get_fault": self.get_fault,
            "remove_fault": self.remove_fault,
        }

    def list_faults(self) -> Response:
        """Return all faults, in the order in which they are tried."""
        found = self._found()
        return json_io.indented_json({"faults": found, "total_entries": len(found)})

    def create_fault(self, body: dict[str, Any]) -> Response:
        """Add a fault.  Raises InvalidFault, and ProblemException if there are too many."""
        stored = add(self._state, body)
        return json_io.indented_json(_as_dict(stored, stored.applied), 201)

    def remove_faults(self) -> Response:
        """Remove all faults."""
        self._state.remove_faults()
        return Response(status=204)

    def get_fault(self, number: int) -> Response:
        """Return one fault.  Raises ProblemException if it does not exist."""
        for each in self._found():
            if each["number"] == number:
                return json_io.indented_json(each)
        raise _not_found(number)

    def remove_fault(self, number: int) -> Response:
        """Remove a fault.  Raises ProblemException if it does not exist."""
        if not self._state.remove_fault(number):
            raise _not_found(number)
        return Response(status=204)

    def _found(self) -> list[dict[str, Any]]:
        applied = self._state.applied_faults()
        stored = self._state.control().faults
        return [_as_dict(each, applied.get(each.number, each.applied)) for each in stored]


def add(state: EmulatorState, definition: dict[str, Any]) -> StoredFault:
    """Add a fault that this server can apply, and return it.

    Raises InvalidFault, and ProblemException if there are too many.
    """
    complete = faults.complete(
        definition, operations.known(), has_worker=injection.connection() is not None
    )
    if len(state.control().faults) >= faults.MAX_FAULTS:
        detail = f"There are {faults.MAX_FAULTS} faults. Remove some of them."
        raise ProblemException(409, "Conflict", detail)
    return state.add_fault(complete, complete["times"])


def _as_dict(stored: StoredFault, applied: int) -> dict[str, Any]:
    return {"number": stored.number, **stored.definition, "applied": applied}


def _not_found(number: int) -> ProblemException:
    return ProblemException(404, "Not Found", f"There is no fault {number}.")
