"""The virtual environment of each peer, in the checkout, with pinned versions."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[2] / ".venvs"

PYTHONS = ("python3.11", "python3.12")
"""The versions that both Airflows support; the pinned packages are for the first."""


def install(name: str, *requirements: str) -> None:
    """Install the requirements of a peer, unless its environment has the same pinned versions."""
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

    Variables of this process that configure Airflow or Python are removed.
    """
    inherited = {
        key: text
        for key, text in os.environ.items()
        if not key.startswith(("AIRFLOW", "PYTHON", "VIRTUAL_ENV"))
    }
    programs = f"{ENVIRONMENTS / name / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return inherited | settings | {"PATH": programs}


def _python() -> str:
    """Return the path of a supported Python interpreter."""
    if f"python{sys.version_info.major}.{sys.version_info.minor}" in PYTHONS:
        return sys.executable
    for each in PYTHONS:
        if found := shutil.which(each):
            return found
    raise RuntimeError(f"Airflow 2.10.5 needs {' or '.join(PYTHONS)}; neither is on the PATH")


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")
