"""The server as a test uses it."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from xcom_server.testing.control import USER_AGENT, ControlPlane, given
from xcom_server.testing.faults import Fault
from xcom_server.testing.journal import Request
from xcom_server.testing.process import ServerProcess

Seed = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str]
"""The content of a seed file: an object, a list of entries, or the path of a file."""

__tracebackhide__ = True  # pytest shows the line of the test instead
_PAGE = 100


class XcomServer:
    """A running server: its URLs, its data, and what it received.

    Every method raises ControlError for what the control plane refuses, and ServerDown if the
    server does not respond.
    """

    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        self.url = process.url
        """The base URL, without a slash at its end."""
        self.v1_url = f"{self.url}/api/v1"
        self.v2_url = f"{self.url}/api/v2"
        self._control = ControlPlane(
            self.url, process.log, token=getattr(process.settings, "emulator_token", "")
        )

    def token(self, username: str = "", password: str = "") -> str:
        """Return a token for `/api/v2`, by default of the first user of the setting `users`."""
        if not username:
            username, password = self.credentials
        body = {"username": username, "password": password}
        return str(self._control.call("POST", "/auth/token", body)["access_token"])

    @property
    def credentials(self) -> tuple[str, str]:
        """Return name and password of the first user of the setting `users`, else any."""
        first, *_ = self._process.settings.users.split(",")
        name, _, rest = first.strip().partition(":")
        return (name, rest.rpartition(":")[0]) if name else ("test", "test")

    def seed(self, data: Seed) -> dict[str, int]:
        """Load entries, DAGs and DAG runs, and return how many there were of each.

        `data` is the content of a seed file, or its path.
        """
        if isinstance(data, str | os.PathLike):
            data = json.loads(Path(data).read_text(encoding="utf-8"))
        counts: dict[str, int] = self._control.post("seed", body=data)
        return counts

    def script(
        self,
        dag_id: str,
        script: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        **fields: Any,
    ) -> None:
        """Set what triggered runs of a DAG do, and create the DAG if it does not exist.

        `script` is a script, or a list of scripts of successive runs. The fields of a script can be
        given by name instead: `script("etl", tasks={"load": {"state": "failed"}})`.
        """
        if script is not None and fields:
            raise TypeError("script() takes a script or its fields, not both")
        content = fields if script is None else script
        self.seed({"dags": [{"dag_id": dag_id, "script": content}]})

    def entries(
        self,
        *,
        dag_id: str | None = None,
        run_id: str | None = None,
        task_id: str | None = None,
        key: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return the entries with these ids.

        `value` is what v2 returns, `v1_text` and `v1_value` what v1 returns. If the JSON of a value
        has more than 4,000 characters, `is_cut` is true and `value` is None.
        """
        return self._all("entries", dag_id=dag_id, run_id=run_id, task_id=task_id, key=key)

    def runs(self, *, dag_id: str | None = None, run_id: str | None = None) -> list[dict[str, Any]]:
        """Return the DAG runs with these ids; unlike a poll, this takes no step of a script."""
        return self._all("runs", dag_id=dag_id, run_id=run_id)

    @property
    def requests(self) -> list[Request]:
        """Return the requests that the server received since the last reset, oldest first.

        At most 1,000; those of this class are left out.
        """
        listed = self._control.get("requests")["requests"]
        return [Request.of(each) for each in listed if each["client"] != USER_AGENT]

    def fail(
        self,
        operation: str = "*",
        effect: str = "status",
        *,
        times: int | None = None,
        method: str | None = None,
        path: str | None = None,
        client: str | None = None,
        share: float | None = None,
        **parameters: Any,
    ) -> Fault:
        """Add a fault to the requests that match, until it was applied `times` times or is removed.

        `operation` is the name of an operation with `*` for any characters, such as
        `v2.get_xcom_entry`, `getXComValue` or `v1.*`. `effect` is the type of an effect of
        docs/faults.md, and `parameters` are its fields: `status=503, retry_after=1`. Raises
        ControlError for an unknown name, with the most similar one.
        """
        if not isinstance(effect, str):
            raise TypeError(f"effect must be a name; for a status, write status={effect!r}")
        if effect == "status":
            parameters.setdefault("status", 503)
        body = {
            "match": given(
                operation=operation, method=method, path=path, client=client, share=share
            ),
            "times": times,
            "effect": {"type": effect, **parameters},
        }
        return Fault(self._control, self._control.post("faults", body=body)["number"])

    def freeze(self, at: datetime | str | None = None) -> None:
        """Stop the server's clock now, or at a time; a datetime without a zone is in UTC."""
        if isinstance(at, datetime):
            at = (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()
        self._control.put("clock", body={"freeze": True if at is None else at})

    def advance(self, seconds: float | timedelta) -> None:
        """Move the server's clock forward: timestamps, scripts and the expiry of tokens follow."""
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        self._control.post("clock", "advance", body={"seconds": seconds})

    def unfreeze(self) -> None:
        """Use the time of the machine again."""
        self._control.delete("clock")

    def reset(self) -> None:
        """Empty the store and the journal, remove the faults, and use the time of the machine."""
        self._control.post("reset")

    def snapshot(self, name: str = "default") -> None:
        """Save the data of the store under a name, which `reset` does not remove."""
        self._control.put("snapshots", name)

    def restore(self, name: str = "default") -> None:
        """Replace the data of the store with that of a snapshot."""
        self._control.post("snapshots", name, "restore")

    def is_running(self) -> bool:
        """Return whether the server's process has not ended."""
        return self._process.is_running()

    def log(self) -> str:
        """Return the end of the server's log."""
        return self._process.log()

    def _all(self, kind: str, **ids: object) -> list[dict[str, Any]]:
        """Return all rows of a list, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._control.get(kind, **given(**ids), limit=_PAGE, offset=len(found))
            found += page[kind]
            if not page[kind] or len(found) >= page["total_entries"]:
                return found


@contextmanager
def running(*, seed: Seed | None = None, **settings: object) -> Iterator[XcomServer]:
    """Run a server until the end of the context, and load `seed`.

    `settings` are those of docs/configuration.md in lower case, such as `users="ann:secret:op"` or
    `workers=2`. Raises SettingsError for an invalid one, and StartError with the server's log if it
    does not start.
    """
    with ServerProcess(**settings) as process:
        server = XcomServer(process)
        if seed is not None:
            server.seed(seed)
        yield server
