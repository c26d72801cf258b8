"""Memory and CPU time are summed over the processes of a group."""

import subprocess
import sys

import pytest

from bench import memory, quiet, runs

WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
held = bytearray(64 * 2**20)
print("up", flush=True)
input()
child.communicate(b"\\n")
"""


def test_memory_is_summed_over_a_process_group() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WITH_CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        found = memory.of_group(process.pid)
        process.stdin.write(b"\n")

    assert 64 < found.proportional <= found.resident
    assert memory.of_group(process.pid) == (0, 0)


def test_cpu_time_is_summed_over_a_process_group() -> None:
    working = "import time\nwhile time.process_time() < 0.1: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", working],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken = quiet.seconds_of_cpu(process.pid)
        exactly = runs.microseconds_of_cpu(process.pid)
        process.communicate(b"\n")

    assert taken > 0.05
    assert exactly > 50_000
    assert quiet.seconds_of_cpu(process.pid) == 0


def test_server_is_quiet_once_it_uses_no_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [0, 0.1, 0.1, 0.15, 0.15, 0.16]  # before and after each of three windows
    monkeypatch.setattr(quiet, "WINDOW", 0)
    monkeypatch.setattr(quiet, "seconds_of_cpu", lambda group: taken.pop(0))

    quiet.until_quiet(1, "sqlite://")

    assert taken == []
