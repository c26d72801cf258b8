"""Schemathesis, with every check on, finds nothing in a live server with two workers."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import run
from tests.live import LiveServer

HERE = Path(__file__).parent
EXAMPLES = "50"


@pytest.fixture
def fuzzed(tmp_path: Path) -> LiveServer:
    """Return a server that allows what the document allows, deserialization included."""
    return LiveServer(tmp_path, XCOM_DESERIALIZE="true")


def test_schemathesis_finds_nothing(fuzzed: LiveServer, tmp_path: Path,
                                    count_case: Callable[..., None]) -> None:
    with fuzzed:
        found = run(
            str(Path(sys.executable).with_name("schemathesis")), "--config-file",
            str(HERE / "schemathesis.toml"), "run", f"{fuzzed.api}/openapi.json",
            "--checks", "all", "--max-examples", EXAMPLES, "--no-color", cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "fuzz_hooks.py")})

    assert found.returncode == 0, found.stdout[-5000:]
    count = re.search(r"(\d+) generated, (\d+) passed", found.stdout)
    assert count is not None, found.stdout[-5000:]
    assert count[1] == count[2]
    count_case("requests by Schemathesis, every check on", int(count[1]))
    assert " failed\n" not in fuzzed.log.read_text()
