"""An environment of its own for each peer: a venv in the checkout, filled from pinned versions."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[2] / ".venvs"

PYTHONS = ("python3.11", "python3.12")
"""What both Airflows run on; the versions are pinned for the first of them."""


def install(name: str, *requirements: str) -> None:
    """Install what a peer needs, unless its environment was made from the same pins."""
    constraints = Path(__file__).with_name(f"constraints-{name}.txt")
    environment = ENVIRONMENTS / name
    done = environment / "done"
    wanted = "\n".join([*requirements, constraints.read_text()])
    if done.exists() and done.read_text() == wanted:
        return
    print(f"{name}: installing {requirements[0]}, about a minute", flush=True)
    _run(_python(), "-m", "venv", "--clear", str(environment))
    _run(
        str(environment / "bin/python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--constraint",
        str(constraints),
        *requirements,
    )
    done.write_text(wanted)


def command(name: str) -> str:
    """Return the path of a peer's `airflow`."""
    return str(ENVIRONMENTS / name / "bin/airflow")


def variables(name: str, settings: dict[str, str]) -> dict[str, str]:
    """Return the environment variables of a peer's processes.

    Nothing that this process was told about Airflow or Python reaches them.
    """
    inherited = {
        key: text
        for key, text in os.environ.items()
        if not key.startswith(("AIRFLOW", "PYTHON", "VIRTUAL_ENV"))
    }
    programs = f"{ENVIRONMENTS / name / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return inherited | settings | {"PATH": programs}


def _python() -> str:
    """Return an interpreter that has what the pinned versions need."""
    if f"python{sys.version_info.major}.{sys.version_info.minor}" in PYTHONS:
        return sys.executable
    for each in PYTHONS:
        if found := shutil.which(each):
            return found
    raise RuntimeError(f"Airflow 2.10.5 needs {' or '.join(PYTHONS)}, and none is on the PATH")


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")
