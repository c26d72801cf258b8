"""The examples of docs/testing.md work as shown."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.paths import ROOT
from tests.support.projects import write_client
from tests.support.readme import ENVIRON

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ENTRY = {"dag_id": "etl", "run_id": "r1", "task_id": "load", "key": "rows", "value": 5}


def block(language: str, word: str) -> str:
    """Return the only block in a language that contains a word."""
    found: list[str] = [code for kind, code in BLOCKS if kind == language and word in code]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def failing(pytester: pytest.Pytester) -> pytest.RunResult:
    """Return the result of the examples with pytest."""
    Path("entries.json").write_text(json.dumps([ENTRY]), encoding="utf-8")
    for word in ("test_dags", "mark.xcom", "xcom.fail"):
        Path(f"test_{word[:4]}.py").write_text(block("python", word), encoding="utf-8")
    return pytester.runpytest_inprocess("-p", "no:cacheprovider")


def test_examples_with_pytest(failing: pytest.RunResult) -> None:
    failing.assert_outcomes(passed=2, failed=1)
    failing.stdout.fnmatch_lines(
        [re.sub(r"([\[\]?*])", r"[\1]", line) for line in block("text", "-> ").splitlines()],
        consecutive=True,
    )


def test_example_with_unittest(tmp_path: Path) -> None:
    write_client(tmp_path)
    (tmp_path / "test_report.py").write_text(block("python", "unittest"), encoding="utf-8")

    done = run(sys.executable, "-m", "unittest", "test_report", cwd=tmp_path)

    assert done.stderr.endswith("\nOK\n"), done.stderr


def test_example_with_a_shell() -> None:
    done = run("bash", "-eu", "-c", block("sh", "curl"), env={**ENVIRON, "HOME": os.devnull})

    assert '"value": "5"' in done.stdout, done.stderr
    assert '"verdict": "conforms"' in done.stdout
    assert done.returncode == 0
