"""The machine and the versions of a run, to judge its figures by; without host names or paths."""

import os
import platform
import shutil
import sqlite3
import subprocess
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.support.postgres_user import BINARIES

LIBRARIES = (
    "connexion",
    "Flask",
    "gunicorn",
    "marshmallow",
    "orjson",
    "jsonschema-rs",
    "psycopg",
    "pydantic-core",
    "SQLAlchemy",
    "Werkzeug",
)

_ROOT = Path(__file__).parents[1]


def machine() -> dict[str, Any]:
    """Return the hardware, the versions and the revision of this server, by name."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "file system": _first_line("stat", "-f", "-c", "%T", tempfile.gettempdir()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": _first_line(str(BINARIES / "postgres"), "--version").split()[-1],
        "wrk": _first_line("wrk", "-v").removeprefix("wrk ").split(" [")[0],
        **{name: each for name in LIBRARIES if (each := _version(name))},
        "revision": _first_line("git", "describe", "--always", "--dirty", "--exclude=*"),
    }


def in_words(of: dict[str, Any]) -> str:
    """Return these properties as one sentence."""
    return ", ".join(f"{name} {value}" for name, value in of.items()) + "."


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def _first_line(command: str, *arguments: str) -> str:
    """Return the first line that a command prints, `none` if it is not installed."""
    if not shutil.which(command):
        return "none"
    done = subprocess.run(
        [command, *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return (done.stdout.splitlines() or ["unknown"])[0]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
