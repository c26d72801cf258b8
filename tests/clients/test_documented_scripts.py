"""The examples of docs/scripts.md print what the page shows."""

import re
import sys
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.readme import ENVIRON

pytestmark = pytest.mark.clients

PAGE = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXAMPLES = {
    section.partition("\n")[0]: dict(BLOCK.findall(section.partition("\n## ")[0]))
    for section in PAGE.split("\n## Example: ")[1:]
}
COMMANDS = {"python": sys.executable, "bash": "bash"}


@pytest.mark.parametrize("title", EXAMPLES)
def test_example_prints_the_output_shown(title: str, tmp_path: Path) -> None:
    blocks = EXAMPLES[title]
    (tmp_path / "seed.json").write_text(blocks["json"], encoding="utf-8")
    shown, (language, code) = blocks["text"], [*blocks.items()][1]
    (seeding, message), *_ = re.findall(r"^\$ (.* seed .*)\n(.*\n)", PAGE, re.MULTILINE)
    assert run("bash", "-c", seeding, cwd=tmp_path, env=ENVIRON).stdout == message

    with LiveServer(tmp_path) as server:
        code = code.replace("http://127.0.0.1:8080", server.url)
        (tmp_path / "example").write_text(code, encoding="utf-8")
        done = run(COMMANDS[language], "example", cwd=tmp_path)

    assert (done.stdout, done.stderr) == (shown, "")


def test_page_has_an_example_of_each_kind() -> None:
    assert len(EXAMPLES) == 3
    assert {language for blocks in EXAMPLES.values() for language in blocks} == {
        "json",
        "python",
        "bash",
        "text",
    }
