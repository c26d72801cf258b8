"""A server for the tests of a client, with and without pytest; it needs the standard library only.

`running()` starts a server, and the pytest plugin has it as the fixtures `xcom` and `xcom_server`.
"""

from xcom_server.emulator.verdicts import Finding, Verdict
from xcom_server.testing.errors import ControlError, ServerDown, StartError, XcomServerError
from xcom_server.testing.faults import Fault
from xcom_server.testing.journal import Request
from xcom_server.testing.server import XcomServer, running

__all__ = [
    "ControlError",
    "Fault",
    "Finding",
    "Request",
    "ServerDown",
    "StartError",
    "Verdict",
    "XcomServer",
    "XcomServerError",
    "running",
]
