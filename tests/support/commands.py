"""Running commands, `xcom-server` among them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

XCOM_SERVER = str(Path(sys.executable).with_name("xcom-server"))


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and return its exit status and output."""
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def xcom_server(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `xcom-server` in a folder, with these variables added to the environment."""
    return run(XCOM_SERVER, *arguments, cwd=folder, env={**os.environ, **environ})
