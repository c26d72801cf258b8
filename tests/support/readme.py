"""The README, taken apart: its sections, code blocks and commands."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.commands import run
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
URL = "http://127.0.0.1:8080"
COMMANDS = Path(sys.executable).parent
ENVIRON = {**os.environ, "PATH": f"{COMMANDS}:{os.environ['PATH']}"}


def section(heading: str) -> str:
    """Return the text below a heading, up to the next heading of its level or a higher one."""
    level, _, _ = heading.partition(" ")
    text = README.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", text, maxsplit=1)[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def steps(heading: str) -> list[tuple[str, str]]:
    """Return the commands of a section that do not start a server, each with its output."""
    found = [
        step
        for block in blocks("console", section(heading))
        for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]
    return [(command, output) for command, output in found if not command.endswith("serve")]


def outputs(commands: list[str], folder: Path, url: str = URL) -> list[str]:
    """Run commands in one shell and return what each printed."""
    script = "".join(f"{command}\nprintf '\\0'\n" for command in commands)
    done = run("bash", "-c", script.replace(URL, url), cwd=folder, env=ENVIRON)
    return done.stdout.split("\0")[:-1]


@dataclass(frozen=True)
class Quickstart:
    """A server to which the commands of the quickstart were sent, and what they printed."""

    server: LiveServer
    outputs: list[str]


@contextmanager
def run_quickstart(folder: Path) -> Iterator[Quickstart]:
    """Start a server in a folder and run the commands of the quickstart."""
    with LiveServer(folder) as live:
        commands = [command for command, _ in steps("## Quickstart")]
        yield Quickstart(live, outputs(commands, folder, live.url))


def run_snippet(
    words: str, python: Path, server: LiveServer, folder: Path
) -> tuple[list[str], list[str]]:
    """Run the first Python snippet after some words, against a server.

    Return the lines that it printed, and those in its comments: `print(...)  # line`.
    """
    snippet = blocks("python", README.split(words, 1)[1])[0]
    script = folder / "snippet.py"
    script.write_text(snippet.replace(URL, server.url), encoding="utf-8")
    done = run(str(python), str(script))
    assert done.stderr == ""
    return done.stdout.splitlines(), re.findall(r"^print\(.*\)  # (.*)$", snippet, re.MULTILINE)
