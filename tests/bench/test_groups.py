"""Memory and CPU are those of all processes of a group, and of no other."""

import subprocess
import sys

from bench import memory, quiet

WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
held = bytearray(64 * 2**20)
print("up", flush=True)
input()
child.communicate(b"\\n")
"""


def test_memory_is_summed_over_a_group() -> None:
    with subprocess.Popen([sys.executable, "-c", WITH_CHILD], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        found = memory.of_group(process.pid)
        process.stdin.write(b"\n")

    assert 64 < found.proportional <= found.resident
    assert memory.of_group(process.pid) == (0, 0)


def test_a_server_is_quiet_once_it_takes_no_processor() -> None:
    counting = "for _ in range(3_000_000): pass\ninput()"
    with subprocess.Popen([sys.executable, "-c", counting], stdin=subprocess.PIPE,
                          start_new_session=True) as process:
        quiet.until_quiet(process.pid, "sqlite://")
        taken = quiet.seconds_of_cpu(process.pid)
        process.communicate(b"\n")

    assert taken > 0.02
