"""A temporary folder that other users of the machine can enter, unlike those of pytest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def public_folder() -> Iterator[Path]:
    """Yield the folder; skip the test if others cannot enter the folder of temporary files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        if not all(each.stat().st_mode & 0o001 for each in folder.parents):
            pytest.skip("other users cannot enter the folder of temporary files")
        yield folder
