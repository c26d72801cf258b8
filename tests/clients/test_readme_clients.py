"""The README's snippets of the official clients print what the README shows."""

from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.readme import run_quickstart, run_snippet

pytestmark = pytest.mark.clients


@pytest.mark.parametrize(
    ("words", "version"),
    [("Client 3, for `/api/v2`", "3.3.2"), ("Client 2, for `/api/v1`", "2.10.0")],
    ids=["3.3.2", "2.10.0"],
)
def test_client_snippet_prints_the_output_shown(words: str, version: str, tmp_path: Path) -> None:
    python = ROOT / f".venvs/client-{version}/bin/python"

    with run_quickstart(tmp_path) as quickstart:
        printed, shown = run_snippet(words, python, quickstart.server, tmp_path)

    assert printed == shown == ["{'n': [1, None]}"]
