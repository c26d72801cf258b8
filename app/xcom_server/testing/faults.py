"""Faults that a test adds to the server."""

from xcom_server.testing.control import ControlPlane


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
