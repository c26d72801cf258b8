"""A server in a process of its own, with a temporary folder for its data."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType

from xcom_server.settings import PREFIX, Settings, SettingsError
from xcom_server.testing.errors import StartError

START_SECONDS = 60
STOP_SECONDS = 20
POLL_SECONDS = 0.005
LOG_LINES = 40  # of the log in an error
_HOST = "127.0.0.1"

_DEFAULTS: Mapping[str, object] = {
    "database_url": "sqlite:///xcom.db",
    "workers": 1,
    "drain_seconds": 0,
    "graceful_timeout_seconds": 1,
}
_OWN: Mapping[str, object] = {"bind": f"{_HOST}:0", "port_file": "port", "emulator": True}
# Variables that gunicorn, prometheus_client or a service manager would read.
_FOREIGN = (
    "FORWARDED_ALLOW_IPS",
    "GUNICORN_CMD_ARGS",
    "GUNICORN_FD",
    "GUNICORN_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "PROMETHEUS_MULTIPROC_DIR",
    "SCRIPT_NAME",
    "WEB_CONCURRENCY",
)


class ServerProcess:
    """`xcom-server serve` on a free port of 127.0.0.1, from entry to exit of its context.

    Its settings are those of `Settings`, such as `workers=2`. By default it has one worker, an
    SQLite file in a temporary folder and no drain time, and it takes any credentials of the right
    kind (`auth="any"`). Variables of this process that begin with `XCOM_` have no effect. The
    server stops when this process ends, even by a signal.
    """

    def __init__(self, **settings: object) -> None:
        """Raises SettingsError for an unknown or invalid setting, and for one that is fixed."""
        if fixed := sorted(_OWN.keys() & settings.keys()):
            raise SettingsError(f"{fixed[0]} cannot be set for a server in tests.")
        login = {} if "users" in settings else {"auth": "any"}
        given = {**_DEFAULTS, **login, **settings, **_OWN}
        self.variables = {PREFIX + name.upper(): _text(given[name]) for name in given}
        self.settings = Settings.from_env(self.variables)

    def __enter__(self) -> "ServerProcess":
        self._folder = tempfile.TemporaryDirectory(prefix="xcom-server-test-")
        try:
            self._start()
            self.port = self._wait_for_port()
            self.url = f"http://{_HOST}:{self.port}{self.settings.base_path}"
            self._wait_for_response()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def is_running(self) -> bool:
        """Return whether the process has not ended."""
        return self._process.poll() is None

    def log(self, lines: int = LOG_LINES) -> str:
        """Return the end of the server's log, empty after the exit of the context."""
        if not self._log.exists():
            return ""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return "".join(text.splitlines(keepends=True)[-lines:])

    def _start(self) -> None:
        self._log = Path(self._folder.name, "server.log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "xcom_server.testing.child"],
                cwd=self._folder.name,
                env=_environ(os.environ) | self.variables,
                stdin=subprocess.PIPE,  # see child.py
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends the tests, which then stop the server
            )

    def _wait_for_port(self) -> int:
        path = Path(self._folder.name, "port")
        deadline = time.monotonic() + START_SECONDS
        while not path.exists():
            self._require_start(deadline)
            time.sleep(POLL_SECONDS)
        return int(path.read_text())

    def _wait_for_response(self) -> None:
        """Wait for a response; connections are accepted before the first worker has started."""
        connection = HTTPConnection(_HOST, self.port, timeout=START_SECONDS)
        try:
            connection.request("GET", "/live")
            connection.getresponse().read()
        except (OSError, HTTPException) as error:
            raise StartError(f"xcom-server does not respond: {error!r}\n{self.log()}") from None
        finally:
            connection.close()

    def _require_start(self, deadline: float) -> None:
        """Raise StartError if the process has ended or the time is over."""
        status = self._process.poll()
        if status is None and time.monotonic() < deadline:
            return
        reason = f"within {START_SECONDS} s" if status is None else f"(exit status {status})"
        raise StartError(f"xcom-server did not start {reason}:\n{self.log()}")

    def _stop(self) -> None:
        process = self._process
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()
        self._folder.cleanup()


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that would change the server."""
    return {
        name: text
        for name, text in environ.items()
        if not name.startswith(PREFIX) and name not in _FOREIGN
    }


def _text(value: object) -> str:
    """Return a value as an environment variable holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
