"""A file system that is full, which only root can mount."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.commands import run


@contextmanager
def full_file_system(folder: Path) -> Iterator[Path]:
    """Mount a file system in memory at a new folder, and fill it.  Skips the test if not root."""
    folder.mkdir()
    if run("mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        with suppress(OSError), (folder / "filling").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
