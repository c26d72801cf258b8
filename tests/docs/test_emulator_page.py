"""The commands of docs/emulator.md print what the page shows."""

import re
from pathlib import Path

import pytest

from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.readme import blocks, outputs

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
STEP = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def test_commands_print_the_output_shown(tmp_path: Path) -> None:
    found = [step for block in blocks("console", PAGE) for step in STEP.findall(block)]
    steps = [step for step in found if not step[0].startswith("xcom-server serve")]

    with LiveServer(tmp_path, XCOM_EMULATOR="true") as server:
        printed = outputs([command for command, _ in steps], tmp_path, server.url)

    assert len(steps) == 15
    assert [each.strip() for each in printed] == [output.strip() for _, output in steps]
