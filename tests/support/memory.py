"""The memory that a call needs at its peak, as Linux measures it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

MIB = 1024 * 1024

Result = TypeVar("Result")


def status_mib(field: str, process: int | str = "self") -> float:
    """Return a field of a process's status, such as VmHWM (its peak) or VmRSS, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def reset_peak(process: int | str = "self") -> None:
    """Set the peak of a process to its current memory."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


def peak_growth(call: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result of a call, and by how many MiB it has raised the memory of the process.

    It is less than the call needs if the process reuses memory that it has freed before.
    """
    reset_peak()
    before = status_mib("VmRSS")
    result = call()
    return result, status_mib("VmHWM") - before
