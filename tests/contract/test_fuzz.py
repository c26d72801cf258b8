"""Schemathesis, with every check enabled, finds no errors in a live server with users.

`make fuzz` sends several times as many requests, with `FUZZ_EXAMPLES=100` in the environment.
"""

import json
import os
import re
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.support.commands import BUILD_SECONDS, run
from tests.support.databases import emptied, load
from tests.support.documents import VERSIONS
from tests.support.live_server import LiveServer, UnmeasuredServer

pytestmark = pytest.mark.fuzz

HERE = Path(__file__).parent
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "10")  # valid and invalid requests for each operation

# Schemathesis sends a wrong password to each operation, always of the same user.
COMMAND = f"""#!{sys.executable}
from xcom_server.auth import attempts
from xcom_server.cli.main import main

for limit in ("ATTEMPTS_BEFORE_BACKOFF", "ADDRESS_ATTEMPTS_BEFORE_BACKOFF"):
    assert hasattr(attempts, limit)
    setattr(attempts, limit, 1000)
attempts.USER_ATTEMPTS_BEFORE_PAUSE = 1000
main()
"""

INSTANCES = [
    {"task_id": "extract", "map_index": map_index, "state": "success", "try_number": 1}
    for map_index in (-1, 0, 1)
]
SEED = {
    "dags": [{"dag_id": "example_dag", "tasks": [{"task_id": "extract", "mapped": 2}]}],
    "dag_runs": [
        {
            "dag_id": "example_dag",
            "run_id": "scheduled__2024-01-01T00:00:00+00:00",
            "task_instances": INSTANCES,
        }
    ],
}
"""What the examples in the documents name."""


def credentials(server: LiveServer, version: str) -> str:
    """Return the `Authorization` header of an admin."""
    if version == "v1":
        return f"Basic {b64encode(b'admin:admin').decode()}"
    body = json.dumps({"username": "admin", "password": "admin"}).encode()
    login = Request(f"{server.url}/auth/token", body, {"Content-Type": "application/json"})
    with urlopen(login) as answer:
        return f"Bearer {json.load(answer)['access_token']}"


@pytest.mark.parametrize("version", VERSIONS)
def test_schemathesis_finds_nothing(
    tmp_path: Path, users_file: Path, version: str, count_case: Callable[..., None]
) -> None:
    command = tmp_path / "xcom-server"
    command.write_text(COMMAND)
    command.chmod(0o755)
    # Deserialization is enabled because the document allows it.
    server = UnmeasuredServer(
        tmp_path,
        command=command,
        XCOM_DESERIALIZE="true",
        XCOM_AUTH="users",
        XCOM_USERS_FILE=str(users_file),
    )
    load(emptied(server.database_url), json.dumps(SEED))
    with server:
        found = run(
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(HERE / "schemathesis.toml"),
            "run",
            f"{server.url}/api/{version}/openapi.json",
            "--header",
            f"Authorization: {credentials(server, version)}",
            "--max-examples",
            EXAMPLES,
            "--no-color",
            cwd=tmp_path,
            timeout=BUILD_SECONDS * max(int(EXAMPLES) // 10, 1),
            env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "fuzz_hooks.py")},
        )

    assert found.returncode == 0, found.stdout[-5000:]
    count = re.search(r"(\d+) generated, (\d+) passed", found.stdout)
    assert count is not None, found.stdout[-5000:]
    assert count[1] == count[2]
    count_case(f"requests by Schemathesis to {version}, every check on", int(count[1]))
    assert " failed\n" not in server.log.read_text()
