"""The buttons of the page: each is a form that changes something, and returns to a view.

Pages of other sites cannot submit these forms, since hosts.py checks the Origin of every write.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.api.emulator import faults, operations
from xcom_server.api.emulator.page import links, rendering
from xcom_server.api.emulator.page.status import status, time_in_words
from xcom_server.emulator import shifts
from xcom_server.emulator.faults import ANY_MATCH, InvalidFault
from xcom_server.emulator.shifts import InvalidClock
from xcom_server.storage.emulator import EmulatorState, StoredFault
from xcom_server.storage.store import XComStore


class Preset(NamedTuple):
    """A fault that has a button."""

    title: str
    help: str
    effect: dict[str, Any]
    times: int | None = None


PRESETS = {
    "unavailable": Preset(
        "503 three times",
        "The next 3 requests get a 503 with Retry-After: 1.",
        {"type": "status", "status": 503, "retry_after": 1},
        3,
    ),
    "slow": Preset(
        "Slow by 2 s", "Every response takes 2 seconds longer.", {"type": "latency", "seconds": 2}
    ),
    "reset": Preset("Reset connection", "The next request gets no response.", {"type": "reset"}, 1),
    "expired_token": Preset(
        "Expired token",
        "The token of the next request is refused, as if it had expired.",
        {"type": "expired_token"},
        1,
    ),
    "missing_total": Preset(
        "Missing total_entries",
        "Lists do not have the field total_entries.",
        {"type": "missing_total"},
    ),
}


class FormApi:
    """The view with the buttons, and what they do."""

    def __init__(self, store: XComStore, state: EmulatorState) -> None:
        self._store = store
        self._state = state

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "show_controls": self.show_controls,
            "submit_fault": self.submit_fault,
            "submit_fault_removal": self.submit_fault_removal,
            "submit_removal_of_all_faults": self.submit_removal_of_all_faults,
            "submit_clock": self.submit_clock,
            "submit_reset": self.submit_reset,
        }

    def show_controls(self, *, done: str = "", problem: str = "") -> Response:
        """Return the view with the buttons; with a problem, its status is 400."""
        control = self._state.control()
        applied = self._state.applied_faults()
        names = {each.name for each in operations.known()}
        return rendering.page(
            "controls.html",
            400 if problem else 200,
            **status(self._state, "controls", done, problem),
            active=[_shown(each, applied.get(each.number, 0)) for each in control.faults],
            presets=PRESETS,
            operations=sorted(each for each in names if each.startswith(("v1.", "v2."))),
            now=time_in_words(shifts.now(control.clock)),
            is_frozen="frozen_at" in control.clock,
        )

    def submit_fault(self, *, body: dict[str, str]) -> Response:
        """Add one of the faults that have a button."""
        preset = PRESETS[body["preset"]]
        match = {"operation": body["operation"]}
        definition = {"match": match, "times": preset.times, "effect": preset.effect}
        try:
            faults.add(self._state, definition)
        except InvalidFault as error:
            return self.show_controls(problem=str(error))
        except ProblemException as error:  # there are too many faults
            return self.show_controls(problem=str(error.detail))
        return _back("fault")

    def submit_fault_removal(self, *, number: int) -> Response:
        """Remove a fault; one that does not exist has been removed already."""
        self._state.remove_fault(number)
        return _back("fault_removed")

    def submit_removal_of_all_faults(self) -> Response:
        """Remove all faults."""
        self._state.remove_faults()
        return _back("faults_removed")

    def submit_clock(self, *, body: dict[str, str]) -> Response:
        """Freeze or advance the clock, or use the time of the machine."""
        action, _, seconds = body["action"].partition("-")
        done, change = {
            "freeze": ("frozen", lambda found: shifts.changed(found, {"freeze": True})),
            "advance": ("advanced", lambda found: shifts.advanced(found, int(seconds))),
            "reset": ("machine", lambda found: {}),
        }[action]
        try:
            self._state.change_clock(change)
        except InvalidClock as error:
            return self.show_controls(problem=str(error))
        return _back(done)

    def submit_reset(self) -> Response:
        """Remove all data, faults and requests, and use the time of the machine."""
        self._store.clear()
        self._state.reset()
        return _back("reset")


def _back(done: str) -> Response:
    """Return a redirect to the view with the buttons, whose notice says what was done."""
    target = links.link(f"{rendering.relative_base()}page/controls", {"done": done})
    return Response(status=303, headers={"Location": target})


def _shown(fault: StoredFault, applied: int) -> dict[str, Any]:
    definition = fault.definition
    effect = {name: value for name, value in definition["effect"].items() if name != "type"}
    others = {
        name: value for name, value in definition["match"].items() if value != ANY_MATCH[name]
    }
    return {
        "number": fault.number,
        "effect": " ".join([definition["effect"]["type"], *_in_words(effect)]),
        "match": " ".join(_in_words(others)) or "all",
        "applied": applied,
        "times": definition["times"],
    }


def _in_words(fields: dict[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in fields.items() if value not in (None, False)]
