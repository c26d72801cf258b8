"""Programs from PyPI that use Airflow's API, each in the environment that `make` creates for it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run
from tests.support.environments import environment

SCRIPT = Path(__file__).with_name("mcp_process.py")


class McpServer:
    """An MCP server, which runs from entry to exit of its context.

    `arguments` are those of its command, which has the name of its package.
    """

    def __init__(self, name: str, *arguments: str, **environ: str) -> None:
        binaries = environment(f"tool-{name}") / "bin"
        # -I: only the environment's packages, regardless of the caller's variables
        self._command = [str(binaries / "python"), "-I", str(SCRIPT), str(binaries / name)]
        self._command += arguments
        self._environ = {**os.environ, **environ}

    def __enter__(self) -> "McpServer":
        self._process = subprocess.Popen(
            self._command,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: Any) -> None:
        self._process.__exit__(*error)

    def tools(self) -> list[str]:
        """Return the names of the tools."""
        names: list[str] = self._ask("", {})
        return names

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its result: `content`, `structuredContent` and `isError`."""
        result: dict[str, Any] = self._ask(tool, arguments)
        return result

    def text(self, tool: str, **arguments: Any) -> str:
        """Call a tool that succeeds and return its text."""
        result = self.call(tool, **arguments)
        shown = "\n".join(part["text"] for part in result["content"])
        assert not result["isError"], shown
        return shown

    def data(self, tool: str, **arguments: Any) -> Any:
        """Call a tool that succeeds and return its result as plain data."""
        result = self.call(tool, **arguments)
        assert not result["isError"], result
        assert result["structuredContent"] is not None, result
        return result["structuredContent"]

    def _ask(self, tool: str, arguments: dict[str, Any]) -> Any:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        print(json.dumps([tool, arguments]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            pytest.fail(f"the server broke at {tool}{arguments}:\n{self._process.stderr.read()}")
        return json.loads(line)


class Airflowctl:
    """The command `airflowctl`, with its configuration in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._command = str(environment("tool-apache-airflow-ctl") / "bin" / "airflowctl")
        self._environ = {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW_CLI_DEBUG_MODE": "true",  # a token in a file; there is no keyring
            "COLUMNS": "1000",
        }

    def __call__(self, *arguments: str) -> str:
        """Run a command that succeeds and return its output."""
        done = run(self._command, *arguments, env={**os.environ, **self._environ})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def data(self, *arguments: str) -> Any:
        """Run a command that succeeds and return its output, which is JSON, as plain data."""
        return json.loads(self(*arguments, "--output", "json"))
