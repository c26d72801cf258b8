"""The linter for the style finds phrases in text, comments and docstrings, and not in code."""

from pathlib import Path

import pytest

from tests.support import prose
from tests.support.paths import ROOT


def phrases(path: Path) -> list[str]:
    """Return `line: phrase` for each phrase that is found in a file."""
    return [found.removeprefix(f"{path}:").partition(" -> ")[0] for found in prose.findings(path)]


def test_markdown_is_read_without_code_and_targets_of_links(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Clients are told 503.\n"
        "```\nnobody\n```\n"
        "`nobody` and [a link](nobody.md) <!-- nobody -->\n"
        "Nobody reads it.\n",
        encoding="utf-8",
    )

    assert phrases(page) == ["1: 'are told'", "6: 'Nobody'"]


def test_python_is_read_for_comments_and_docstrings(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Look after it:\n\n`nobody` if you like."""\n'
        "x = 'nobody'  # whoever\n"
        "def f():\n    # nobody\n    'It lists those who wait.'\n    return 'nobody'\n",
        encoding="utf-8",
    )

    assert phrases(module) == [
        "1: 'Look after'",
        "3: 'if you like'",
        "4: 'whoever'",
        "6: 'nobody'",
        "7: 'those who'",
    ]


def test_status_is_1_if_a_phrase_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("plain text\n", encoding="utf-8")
    assert prose.main([str(page)]) == 0
    page.write_text("whoever\n", encoding="utf-8")
    assert prose.main([str(page)]) == 1

    assert capsys.readouterr().out == (
        f"1 files, nothing found\n{page}:1: 'whoever' -> the client, no worker\n"
    )


def test_examples_of_contributing_are_found() -> None:
    """The linter finds many of the phrases in the table, and none of their replacements."""
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| instead of |")[2]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.count("|") == 3]
    before, after = (
        [sum(bool(p.search(text.strip())) for p in prose.PATTERNS) for text in column]
        for column in zip(*rows, strict=True)
    )

    assert sum(map(bool, before)) > len(rows) / 2
    assert sum(after) == 0
