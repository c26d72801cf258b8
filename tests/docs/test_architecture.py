"""The files that docs/architecture.md and CONTRIBUTING.md name are those of the repository."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "app" / "xcom_server"
MIGRATIONS = PACKAGE / "storage" / "sql" / "migrations"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STRUCTURE = ARCHITECTURE.split("```")[1]


def test_structure_names_every_file() -> None:
    files = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if not path.name.startswith("__") and not path.is_relative_to(MIGRATIONS)
    }

    assert files - set(re.findall(r"\w+\.py", STRUCTURE)) == set()


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_python_files_of_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    known = {path.relative_to(ROOT) for path in _python_files()}
    named = {Path(name) for name in re.findall(r"(?<![\w/])(?:\w+/)*[\w.]+\.py", text)}
    missing = [name for name in named if not any(path.match(str(name)) for path in known)]

    assert missing == []


def test_examples_of_contributing_are_lines_of_the_code() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    examples = re.findall(r"^ *```text\n *# (\S+)\n(.*?) *```", text, re.MULTILINE | re.DOTALL)

    assert len(examples) == 5
    for path, lines in examples:
        code = {line.strip() for line in (PACKAGE / path).read_text(encoding="utf-8").splitlines()}
        assert {line.strip() for line in lines.splitlines()} <= code, path


def _python_files() -> list[Path]:
    folders = ("app", "bench", "openapi", "tests", "tools")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return [*found, *ROOT.glob("*.py")]
