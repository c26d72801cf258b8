"""Copies of the repository, each with an environment that imports the copy, to run tests in."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.mutants import record

ROOT = Path(__file__).parents[2]
_MARK = "MUTANTS_TREE"
_LEFT_OUT = shutil.ignore_patterns(
    ".*_cache", ".venv*", ".git", ".hypothesis", "__pycache__", "*.db"
)


class TestRunError(Exception):
    """pytest ended in a way that says nothing about the code."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run of tests: the first that failed, or that they took too long."""

    passed: bool
    failed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    timed_out: bool = False
    output: str = ""


class Tree:
    """A copy of the repository.  Paths are relative to it."""

    def __init__(self) -> None:
        # Other users have to read it: PostgreSQL does not run as root.  Sockets need short paths.
        self.folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        self.folder.chmod(0o755)
        self.root = self.folder / "repo"
        shutil.copytree(ROOT, self.root, ignore=_LEFT_OUT)
        self._make_environment()
        self._writes = 0

    def close(self) -> None:
        """Remove the copy."""
        self._end_processes()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, path: Path, code: str) -> None:
        """Replace a file, with a time of its own: bytecode of before must not be used."""
        file = self.root / path
        file.write_text(code, encoding="utf-8")
        self._writes += 1
        os.utime(file, (1_000_000_000 + self._writes, 1_000_000_000 + self._writes))

    def run(
        self, arguments: Iterable[str], *, timeout: float, options: Sequence[str] = ("-x",)
    ) -> Outcome:
        """Run tests, to the first that fails unless `options` differ."""
        listed, lines, output = (self.folder / name for name in ("tests", "record", "output"))
        listed.write_text("".join(f"{each}\n" for each in arguments), encoding="utf-8")
        lines.write_text("")
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        environ = {
            **os.environ,
            _MARK: str(self.folder),
            record.PATH: str(lines),
            "PYTEST_DEBUG_TEMPROOT": str(temporary),
        }
        command = [str(self.python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "tests.mutants.record", *options, f"@{listed}"]
        with output.open("w") as file:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _kill_group(process)
                self._end_processes()
        shutil.rmtree(temporary, ignore_errors=True)
        return _outcome(status, lines, output.read_text(errors="replace"))

    def _make_environment(self) -> None:
        """Make an environment with the packages of this one, in which the copy is installed."""
        environment = self.root / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        self.python = environment / "bin" / "python"
        ours = Path(sysconfig.get_path("purelib"))
        theirs = next(environment.glob("lib/python*/site-packages"))
        for file in ours.glob("__editable__*xcom_server*"):
            text = file.read_text(encoding="utf-8").replace(str(ROOT), str(self.root))
            (theirs / file.name).write_text(text, encoding="utf-8")
        for file in ours.glob("*coverage*.pth"):
            shutil.copy(file, theirs)
        (theirs / "packages.pth").write_text(f"{ours}\n")
        for script in Path(sys.executable).parent.iterdir():
            target = self.python.with_name(script.name)
            if target.exists() or not script.is_file():
                continue
            if script.read_bytes()[:2] == b"#!" and b"python" in script.read_bytes()[:200]:
                text = script.read_text(encoding="utf-8")
                _, _, rest = text.partition("\n")
                target.write_text(f"#!{self.python}\n{rest}", encoding="utf-8")
                target.chmod(0o755)
            else:
                target.symlink_to(script)

    def _end_processes(self) -> None:
        """Kill what the tests left running, which a mutant may keep from ending."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == str(self.folder):
                    process.kill()
            except (psutil.Error, OSError):
                continue


def files_digest() -> str:
    """Return a digest of the code, the tests and the locked versions."""
    digest = hashlib.sha256()
    for folder in ("app", "openapi", "tests", "setup.cfg", "requirements"):
        for path in sorted([ROOT / folder, *(ROOT / folder).rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\n".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(status: int | None, lines: Path, output: str) -> Outcome:
    reports = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    failed = list(dict.fromkeys(each["test"] for each in reports if each["failed"]))
    seconds: dict[str, float] = {}
    for each in reports:
        seconds[each["test"]] = seconds.get(each["test"], 0) + each["seconds"]
    # 2: a file of tests cannot be imported.  4: neither can conftest.py, or a test does not exist.
    if status == 5 or (status == 4 and "while loading conftest" not in output):
        raise TestRunError(output[-2000:])
    return Outcome(status == 0, failed, seconds, status is None, output)
