"""`python -m bench.instructions URL`: the Python instructions per GET of an entry, in one process.

Unlike CPU time, the number does not depend on the load of the machine, so it shows differences of
less than one percent. It does not include code in C.
"""

import sys
from types import FrameType
from typing import Any

from xcom_server.factory import create_app
from xcom_server.settings import Settings

from bench.data import Layout
from bench.in_process import Application, call, environ
from bench.operations import V1, V2, Operation, operations

ENTRIES = 10_000
_WARM_UP, _REQUESTS = 300, 100


def per_request(application: Application, operation: Operation) -> float:
    """Return the average number of instructions of a request."""
    for number in range(_WARM_UP):
        call(application, environ(operation.request(number)))
    executed = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal executed
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        executed += event == "opcode"
        return trace

    requests = [environ(operation.request(number)) for number in range(_REQUESTS)]
    sys.settrace(trace)
    try:
        for each in requests:
            call(application, each)
    finally:
        sys.settrace(None)
    return executed / _REQUESTS


def main() -> None:
    """Print the number of instructions in each version."""
    application = create_app(Settings(database_url=sys.argv[1]))
    for base in (V1, V2):
        operation = operations(Layout(ENTRIES), base)["GET entry"]
        print(f"{per_request(application, operation):.0f}")


if __name__ == "__main__":
    main()
