"""`xcom-server serve` that stops when the process that started it has ended.

That process has the other end of the pipe at standard input. The kernel closes it when the
process ends, for any reason, and sends SIGIO. Unlike PR_SET_PDEATHSIG, this does not depend on the
thread that started the server.
"""

import fcntl
import os
import select
import signal
import sys
from types import FrameType

from xcom_server.cli.main import main


def stop_with_parent() -> None:
    """Send this process SIGTERM when standard input, a pipe, is closed at its other end."""
    process = os.getpid()

    def stop_if_closed(number: int = 0, frame: FrameType | None = None) -> None:
        if os.getpid() == process and select.select([0], [], [], 0)[0]:
            os.kill(process, signal.SIGTERM)

    signal.signal(signal.SIGIO, stop_if_closed)
    fcntl.fcntl(0, fcntl.F_SETOWN, process)
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    stop_if_closed()  # it may have been closed before


if __name__ == "__main__":
    stop_with_parent()
    main(["serve", *sys.argv[1:]], prog_name="xcom-server")
