"""A server as users run it: `xcom-server serve` under gunicorn, on a free port of loopback."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from urllib.error import URLError
from urllib.request import urlopen

FORK_SECONDS = 5
START_SECONDS = 60
"""The time-out of a start, on a loaded machine."""


class LiveServer:
    """A server that runs from entry to exit of its context.

    It inherits a listening socket, so that no test has to find a free port.
    """

    has_coverage = True

    def __init__(
        self, folder: Path, *, workers: int = 2, command: Path | None = None, **settings: str
    ) -> None:
        self.folder = folder
        self._number_of_workers = workers
        self._command = command or Path(sys.executable).with_name("xcom-server")
        self.database_url = settings.pop("XCOM_DATABASE_URL", f"sqlite:///{folder}/xcom.db")
        self._environ = {
            **os.environ,
            "XCOM_DRAIN_SECONDS": "0",
            **settings,
            "XCOM_WORKERS": str(workers),
            "XCOM_DATABASE_URL": self.database_url,
        }
        if not self.has_coverage:
            self._environ.pop("COVERAGE_PROCESS_CONFIG", None)
        self.log = folder / "server.log"

    def __enter__(self) -> "LiveServer":
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}" + self._environ.get("XCOM_BASE_PATH", "")
        self.api = f"{self.url}/api/v1"
        self.log.unlink(missing_ok=True)
        self.start()
        return self

    def start(self) -> None:
        """Start or restart on the listening socket; return once it responds.

        Connections made while no server runs are accepted by the next one.
        """
        descriptor = self._socket.fileno()
        command = [str(self._command), "serve", "--bind", f"fd://{descriptor}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environ,
                pass_fds=[descriptor],
                start_new_session=True,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._socket.close()

    def workers(self) -> list[int]:
        """Return the process ids of the current workers."""
        master = self.process.pid
        return [
            int(each) for each in Path(f"/proc/{master}/task/{master}/children").read_text().split()
        ]

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urlopen(f"{self.url}/live", timeout=2) as answer:
                    if answer.status == 200:
                        return self._wait_for_workers()
            except (URLError, OSError):
                time.sleep(0.05)
        self.process.kill()
        raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")

    def _wait_for_workers(self) -> None:
        """Wait until all workers are forked: the first one responds before the others exist."""
        deadline = time.monotonic() + FORK_SECONDS
        while len(self.workers()) < self._number_of_workers and time.monotonic() < deadline:
            time.sleep(0.01)


class UnmeasuredServer(LiveServer):
    """A server without coverage, which takes a quarter of the CPU of its tests.

    It is for many requests to code that other tests cover.
    """

    has_coverage = False
