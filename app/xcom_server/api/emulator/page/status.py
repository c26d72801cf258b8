"""What every view shows: the clock, the number of faults, and the result of the last button."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from xcom_server.emulator import shifts
from xcom_server.storage.emulator import EmulatorState

NOTICES = {
    "reset": "Everything was removed.",
    "fault": "The fault was added.",
    "fault_removed": "The fault was removed.",
    "faults_removed": "All faults were removed.",
    "frozen": "The clock was frozen.",
    "advanced": "The clock was advanced.",
    "machine": "The clock follows the machine again.",
}


def status(state: EmulatorState, current: str, done: str = "", problem: str = "") -> dict[str, Any]:
    """Return the values that the base template needs.

    `current` is the name of the view, `done` says what the last button did, and `problem` why it
    did nothing.
    """
    control = state.control()
    return {
        "current": current,
        "notice": NOTICES.get(done, ""),
        "problem": problem,
        "faults": len(control.faults),
        "clock": clock_in_words(control.clock),
    }


def clock_in_words(definition: Mapping[str, Any]) -> str:
    """Return how the clock differs from the machine's, empty if it does not."""
    if "frozen_at" in definition:
        return f"frozen at {time_in_words(shifts.now(definition))}"
    if seconds := definition.get("offset_seconds"):
        return f"{_duration(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"
    return ""


def time_in_words(time: datetime) -> str:
    """Return a time in UTC to the second, such as `2026-01-01 00:00:00`."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _duration(seconds: float) -> str:
    """Return a duration such as `1 d 2 h`, which is rounded to its two largest units."""
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:,.0f} {name}")
    return " ".join(parts[:2]) or "less than 1 s"
