"""Starting this server and the bare stacks, each under gunicorn on a free loopback port."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.contenders import BARE, FLOOR, MARSHMALLOW, THIS
from bench.operations import Request
from bench.peers import Served
from bench.peers.serving import ask, free_port, process, until_answered

WORKERS = 2
"""The number of workers of every contender."""

USER = PASSWORD = "bench"

APPLICATIONS = {
    BARE: "bench.bare:create_app({!r})",
    MARSHMALLOW: "bench.bare:create_app({!r}, with_marshmallow=True)",
    FLOOR: "bench.floor:create_app({!r})",
}
"""The bare stacks, as arguments of gunicorn."""

_ROOT = Path(__file__).parents[1]
_COMMAND = str(Path(sys.executable).with_name("xcom-server"))


@contextmanager
def this(
    database_url: str,
    first: Request,
    folder: Path,
    *,
    users: bool = False,
    workers: int = WORKERS,
    **settings: str,
) -> Iterator[Served]:
    """Start this server with its default settings, and yield it after the first 200.

    With `users`, it has one user, whose Basic credentials are in the headers.
    """
    folder.mkdir(exist_ok=True)
    environment, headers = _environment(database_url, folder) | settings, {}
    if users:
        environment["XCOM_AUTH"] = "users"
        subprocess.run(
            [_COMMAND, "user", "add", USER, "--role", "op", "--replace"],
            cwd=folder,
            input=f"{PASSWORD}\n",
            text=True,
            check=True,
            capture_output=True,
            env=environment,
        )
        credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers["Authorization"] = f"Basic {credentials}"
    with _started([_COMMAND, "serve"], first, folder, environment, headers, workers) as served:
        yield served


@contextmanager
def beside(contender: str, database_url: str, first: Request, folder: Path) -> Iterator[Served]:
    """Start one of the bare stacks under gunicorn's default worker, and yield it."""
    folder.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        APPLICATIONS[contender].format(database_url),
        "--worker-class",
        "sync",
        "--no-control-socket",
        "--chdir",
        str(_ROOT),
    ]
    with _started(command, first, folder, {**os.environ}, {}) as served:
        yield served


def contender(
    name: str, database_url: str, first: Request, folder: Path
) -> AbstractContextManager[Served]:
    """Start this server or a bare stack by its label; its log is in a folder of its own."""
    start = this if name == THIS else partial(beside, name)
    return start(database_url, first, folder / name.replace(" ", "-"))


def with_token(served: Served) -> Served:
    """Return the same server, with a Bearer token in the headers instead of a password."""
    body = json.dumps({"username": USER, "password": PASSWORD}).encode()
    answer = ask(served.url, Request("POST", "/auth/token", body), {})
    return replace(
        served, headers={"Authorization": f"Bearer {json.loads(answer.body)['access_token']}"}
    )


@contextmanager
def _started(
    command: Sequence[str],
    first: Request,
    folder: Path,
    environment: dict[str, str],
    headers: dict[str, str],
    workers: int = WORKERS,
) -> Iterator[Served]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    with process(
        [*command, "--workers", str(workers), "--bind", f"127.0.0.1:{port}"], environment, folder
    ) as started:
        until_answered(
            started, lambda: ask(url, first, headers).status == 200, folder / "server.log"
        )
        yield Served(url, headers, started.pid, time.perf_counter() - start)


def _environment(database_url: str, folder: Path) -> dict[str, str]:
    """Return environment variables for this server, without inherited settings."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("XCOM_")}
    return {
        **kept,
        "XCOM_DATABASE_URL": database_url,
        "XCOM_DRAIN_SECONDS": "0",
        "XCOM_USERS_FILE": str(folder / "users.json"),
        "XCOM_TOKEN_KEY_FILE": str(folder / "token.key"),
    }
