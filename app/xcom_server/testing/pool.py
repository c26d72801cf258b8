"""Servers that tests share, one for each combination of settings."""

from contextlib import ExitStack

from xcom_server.testing.errors import StartError
from xcom_server.testing.process import ServerProcess
from xcom_server.testing.server import XcomServer


class Pool:
    """Starts servers when they are needed, and stops them at the exit of its context.

    A server that has ended is started again. One that did not start is not tried again.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._servers: dict[frozenset[tuple[str, str]], XcomServer] = {}
        self._failed: dict[frozenset[tuple[str, str]], StartError] = {}

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def get(self, settings: dict[str, object]) -> XcomServer:
        """Return the server with these settings.  Raises SettingsError and StartError."""
        process = ServerProcess(**settings)
        key = frozenset(process.variables.items())
        if key in self._failed:
            raise self._failed[key]
        if key not in self._servers or not self._servers[key].is_running():
            try:
                self._servers[key] = XcomServer(self._stack.enter_context(process))
            except StartError as error:
                self._failed[key] = error
                raise
        return self._servers[key]
