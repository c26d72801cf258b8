"""A folder of a test's own to run commands in."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder of the commands, which holds nothing yet."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
