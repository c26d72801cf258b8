"""Waiting for a condition, with a time-out."""

import time
from collections.abc import Callable

SECONDS = 60
"""How long anything may take on a loaded machine; what takes longer has failed."""


def until(
    condition: Callable[[], object],
    seconds: float = SECONDS,
    why: Callable[[], object] = lambda: "",
) -> float:
    """Return the seconds until the condition held; on time-out fail with the text of `why`."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"the condition did not hold within {seconds} s\n{why()}")
        time.sleep(0.02)
    return time.monotonic() - start
