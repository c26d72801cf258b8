"""Waiting for a condition, for so long and no longer."""

import time
from collections.abc import Callable

SECONDS = 60
"""How long anything may take on a loaded machine; what takes longer has failed."""


def until(
    condition: Callable[[], object],
    seconds: float = SECONDS,
    why: Callable[[], object] = lambda: "",
) -> float:
    """Return after how many seconds the condition held; fail with what `why` returns if never."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"waited {seconds} s in vain\n{why()}")
        time.sleep(0.02)
    return time.monotonic() - start
