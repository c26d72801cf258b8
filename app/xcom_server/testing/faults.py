"""Faults that a test adds to the server."""

import difflib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from xcom_server.testing.control import ControlPlane

_VERSIONS = ("v1", "v2")


class Fault:
    """A fault of the server, which is applied to requests until it is removed or used up."""

    def __init__(self, control: ControlPlane, number: int) -> None:
        self._control = control
        self.number = number

    @property
    def applied(self) -> int:
        """Return the number of requests to which it was applied."""
        return int(self._control.get("faults", str(self.number))["applied"])

    def remove(self) -> None:
        """Remove the fault."""
        self._control.delete("faults", str(self.number))


def operations(control: ControlPlane) -> list[str]:
    """Return the names of all operations of the server, such as `v2.get_xcom_entry`."""
    return [
        f"{version}.{operation['operationId']}"
        for version in _VERSIONS
        for item in control.call("GET", f"/api/{version}/openapi.json")["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict) and "operationId" in operation
    ]


def require_known(pattern: str, known: Callable[[], Iterable[str]]) -> None:
    """Raise ValueError if no operation matches a pattern, with the most similar name."""
    if pattern == "*":
        return
    names = list(known())
    short = [name.partition(".")[2] for name in names]
    if any(fnmatchcase(name, pattern) for name in (*names, *short)):
        return
    close = difflib.get_close_matches(pattern, [*names, *short], n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"no operation matches {pattern!r}.{hint}")
