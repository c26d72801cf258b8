"""Official clients, each a process in the environment that `make` creates for its version."""

import copy
import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.environments import client_python

SCRIPT = Path(__file__).with_name("official_process.py")
KEYS = [
    "a b",
    "a/b",
    "/a",
    "a/",
    "a//b",
    "a/../b",
    "really?",
    "a#b",
    "100%",
    "%2F",
    "a+b",
    "a&b=c",
    "a;b",
    "a:b",
    "a'b\"c",
    "a\\b",
    "a\nb",
    "~",
    "żółć ☃",
    "😀",
    "k" * 512,
    "☃" * 512,
]
"""Keys with characters that are special in a URL, a shell or a database."""


def only(*versions: str) -> pytest.MarkDecorator:
    """Return a mark that runs a test only with these versions of the client."""
    return pytest.mark.parametrize("official", versions, indirect=True)


class OfficialClient:
    """One version of apache-airflow-client, which runs from entry to exit of its context.

    Only this client writes to the DAG `dag_id`. Every call is reported to `count`. `configuration`
    is the client's: `username` and `password` of old ones, `access_token` of new ones.
    """

    def __init__(
        self, version: str, api: str, count: Callable[[str], None], **configuration: str
    ) -> None:
        self.version = version
        self.dag_id = f"clients_{version.replace('.', '_')}"
        self._count = count
        self._configuration: dict[str, str | None] = {"host": api, **configuration}

    def __enter__(self) -> "OfficialClient":
        # -I: only the environment's packages, regardless of the caller's variables
        command = [client_python(self.version), "-I", str(SCRIPT)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: Any) -> None:
        self._process.__exit__(*error)

    def configured(self, **configuration: str | None) -> "OfficialClient":
        """Return the same client, in the same process, with another configuration."""
        other = copy.copy(self)
        other._configuration = {**self._configuration, **configuration}
        return other

    def ask(self, call: str, *args: str, **options: Any) -> dict[str, Any]:
        """Make a call and return its result or error."""
        self._count(f"calls of apache-airflow-client {self.version}")
        wanted = json.dumps({"call": call, "args": args, "options": options})
        print(
            json.dumps(self._configuration), wanted, sep="\t", file=self._process.stdin, flush=True
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            pytest.fail(f"the client broke at {wanted}:\n{self._process.stderr.read()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def read(self, call: str, *args: str, **options: Any) -> dict[str, Any]:
        """Make a call that succeeds and return its result."""
        answer = self.ask(call, *args, **options)
        if answer["error"]:
            pytest.fail(f"{call}{args} {options} raised {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def walk(self, *place: str, limit: int, **options: Any) -> list[dict[str, Any]]:
        """Return all entries of a task, fetched page by page."""
        found: list[dict[str, Any]] = []
        for offset in itertools.count(0, limit):
            page = self.read("get_xcom_entries", *place, limit=limit, offset=offset, **options)
            found += page["xcom_entries"]
            if offset + limit >= page["total_entries"]:
                break
        return found
