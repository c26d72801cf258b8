"""Running commands, `xcom-server` among them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.waiting import SECONDS

XCOM_SERVER = str(Path(sys.executable).with_name("xcom-server"))


BUILD_SECONDS = 180
"""The time-out of commands that install, generate or fuzz for up to a minute on a quiet machine."""


def run(
    *command: str, timeout: float = SECONDS, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its exit status and output.

    Raises TimeoutExpired, and kills the command, after so many seconds.
    """
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)


def xcom_server(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `xcom-server` in a folder, with these variables added to the environment."""
    return run(XCOM_SERVER, *arguments, cwd=folder, env={**os.environ, **environ})
