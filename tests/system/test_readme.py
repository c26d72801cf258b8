"""The README tells the truth: its first calls give its answers, its links lead somewhere."""

import re
from pathlib import Path

import pytest

from app.storage import seed_file
from tests.conftest import ROOT, run
from tests.live import LiveServer

README = (ROOT / "README.md").read_text(encoding="utf-8")


def session() -> list[tuple[str, str]]:
    """Return the commands of the README's console blocks, each with the output it shows."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    steps = re.findall(r"^\$ ([^\n]*)\n(.*?)(?=^\$ |\Z)", "".join(blocks),
                       re.MULTILINE | re.DOTALL)
    return [(command, output) for command, output in steps if command != "make serve"]


def test_the_first_calls_give_the_answers_that_are_shown(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server:
        setup = ""
        shown = []
        for command, output in session():
            command = command.replace("http://127.0.0.1:8080", server.url)
            if output:
                shown.append(run("bash", "-c", f"{setup}{command}").stdout == output)
            else:
                setup += command + "\n"

    assert shown == [True] * 6


def test_the_first_commands_come_early() -> None:
    lines = README.splitlines()

    assert lines.index("$ make serve") < 15
    assert next(number for number, line in enumerate(lines) if line.startswith("$ curl")) < 30
    assert "make test" in "".join(lines[:30])
    assert len(lines) <= 120


@pytest.mark.parametrize("document", [
    path.relative_to(ROOT) for folder in (".", "docs", "openapi", "tests/parity", "docs/decisions")
    for path in sorted((ROOT / folder).glob("*.md"))], ids=str)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / document.parent / target).exists(), f"{document} links to {target}"


def test_the_tests_that_the_differences_name_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "differences.md").read_text()))
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert named
    assert {name for name in named if f"def {name}(" not in source} == set()


def test_make_help_names_the_targets() -> None:
    listed = run("make", "--no-print-directory", "help", cwd=ROOT).stdout

    for target in ("serve", "test", "check"):
        assert f"make {target}" in listed


def test_the_seed_files_that_are_shown_can_be_loaded() -> None:
    text = (ROOT / "docs" / "seeding.md").read_text(encoding="utf-8")
    files = [seed_file.read(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]

    assert [len(rows) for rows in files] == [1, 1]
    for field in re.findall(r"`(\w+)`", text.split("| field |")[1].split("or an object")[0]):
        assert field in seed_file.ENTRY_FIELDS | {"dag_run_id"}
