"""A client of the control plane, with the standard library only."""

import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from xcom_server.testing.errors import ControlError, ServerDown

USER_AGENT = "xcom-server-testing"  # the journal has its requests too, such as those for tokens
__tracebackhide__ = True  # pytest shows the line of the test instead
TIMEOUT_SECONDS = 60


class ControlPlane:
    """The operations below `/_emulator/` of the server at a URL.

    `log` returns the end of the server's log, for the message of ServerDown.
    """

    def __init__(self, url: str, log: Callable[[], str], *, token: str = "") -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port)
        self._base_path = parts.path
        self._log = log
        self._headers = {"User-Agent": USER_AGENT} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )

    def get(self, *path: str, **query: object) -> Any:
        """Return the JSON at a path, whose parts may contain any characters."""
        return self.call("GET", "/_emulator/" + quoted(*path), query=query)

    def put(self, *path: str, body: object = None) -> Any:
        """Send a PUT and return the JSON of its response, None if it has none."""
        return self.call("PUT", "/_emulator/" + quoted(*path), body)

    def post(self, *path: str, body: object = None) -> Any:
        """Send a POST and return the JSON of its response, None if it has none."""
        return self.call("POST", "/_emulator/" + quoted(*path), body)

    def delete(self, *path: str) -> None:
        """Send a DELETE."""
        self.call("DELETE", "/_emulator/" + quoted(*path))

    def call(
        self, method: str, path: str, body: object = None, query: dict[str, object] | None = None
    ) -> Any:
        """Send a request to any path, and return the JSON of its response, None if it has none.

        Raises ControlError for a status of at least 400, and ServerDown without a response.
        """
        target = self._base_path + path + ("?" + urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({"Content-Type": "application/json"} if data else {})
        connection = HTTPConnection(*self._address, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, HTTPException) as error:
            raise ServerDown(f"{method} {path}: {error!r}\n{self._log()}") from None
        finally:
            connection.close()
        if response.status >= 400:
            raise ControlError(f"{method} {path}", response.status, _detail(text))
        return json.loads(text) if text else None


def quoted(*path: str) -> str:
    """Return the path of these parts."""
    return "/".join(quote(part, safe="") for part in path)


def _detail(text: bytes) -> str:
    """Return the reason in the body of an error, or the body if it has another form."""
    try:
        problem = json.loads(text)
        return str(problem.get("detail") or problem.get("title") or problem)
    except (ValueError, AttributeError):
        return text.decode(errors="replace")


def given(**values: object) -> dict[str, object]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}
