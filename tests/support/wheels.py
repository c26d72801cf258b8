"""Wheels, and environments with them."""

import subprocess
import sys
from pathlib import Path

from tests.support.commands import BUILD_SECONDS, run

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def build(source: Path, target: Path) -> Path:
    """Build a wheel without a network."""
    done = run(
        *PIP,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(target),
        str(source),
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("*.whl")
    return wheel


def install(python: Path, folder: Path, *wheels: Path) -> Path:
    """Install wheels into a new environment in a folder, and return its Python.

    The dependencies are those of the environment of `python`, without its editable installs: a .pth
    file adds a folder to the import path but does not read the .pth files in that folder.
    """
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    new = folder / "bin" / "python"
    options = ("install", "--no-index", "--no-deps", *map(str, wheels))
    done = run(*PIP, "--python", str(new), *options, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stderr
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    dependencies = run(str(python), "-c", script).stdout
    (site_packages,) = (folder / "lib").glob("python*/site-packages")
    (site_packages / "dependencies.pth").write_text(dependencies)
    return new
