"""The environments in `.venvs`, which `make` creates, and commands of the machine."""

import shutil
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def environment(name: str) -> Path:
    """Return the folder of an environment; fail the test if it does not exist."""
    folder = Path(".venvs", name)
    if not (ROOT / folder / "done").exists():
        pytest.fail(f"run `make {folder}/done`", pytrace=False)
    return ROOT / folder


def client_python(version: str) -> str:
    """Return the Python of an official client's environment."""
    return str(environment(f"client-{version}") / "bin" / "python")


def needs(command: str) -> str:
    """Return the path of a command; skip the test if the machine does not have it."""
    path = shutil.which(command)
    if path is None:
        pytest.skip(f"{command} is not installed")
    return path
