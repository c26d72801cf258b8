"""The README tells the truth: its first calls give its answers, its links lead somewhere."""

import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from xcom_server import seed_file

from tests.support.commands import run
from tests.support.databases import drop_tables, emptied
from tests.support.http_client import status
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.waiting import until

README = (ROOT / "README.md").read_text(encoding="utf-8")


FIRST_CALLS, DEPLOYMENT = README.split("## Deployment\n")


def session() -> list[tuple[str, str]]:
    """Return the README's first calls, each with the output it shows."""
    blocks = re.findall(r"```console\n(.*?)```", FIRST_CALLS, re.DOTALL)
    steps = re.findall(r"^\$ ([^\n]*)\n(.*?)(?=^\$ |\Z)", "".join(blocks), re.MULTILINE | re.DOTALL)
    return [(command, output) for command, output in steps if command != "make serve"]


def test_the_first_calls_give_the_answers_that_are_shown(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server:
        setup = ""
        shown = []
        for command, output in session():
            command = command.replace("http://127.0.0.1:8080", server.url)
            if output:
                shown.append(run("bash", "-c", f"{setup}{command}").stdout == output)
            else:
                setup += command + "\n"

    assert shown == [True] * 6


def test_the_commands_of_the_deployment_serve_users_from_postgresql(
    tmp_path: Path, postgres_url: str
) -> None:
    """The first one is left out: tests/system/test_image.py does the same with pip."""
    _, settings, start = re.findall(r"^\$ (.*)$", DEPLOYMENT.split("```")[1], re.MULTILINE)
    drop_tables(postgres_url)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    settings = re.sub(r"postgresql\S+", f"'{postgres_url}'", settings)
    start = start.replace("0.0.0.0:8080", place).replace(
        "&& xcom-server serve", "&& exec xcom-server serve"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with subprocess.Popen(
        ["bash", "-c", f"{settings}\n{start}"],
        stdin=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
    ) as server:
        assert server.stdin is not None
        server.stdin.write(b"correct horse\n")
        server.stdin.close()
        try:
            until(lambda: status(f"http://{place}/ready") == 200, 60)
            dags = f"http://{place}/api/v1/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
            assert status(dags) == 401
            assert status(dags, "ann", "correct horse") == 200
        finally:
            server.terminate()
            assert server.wait(60) == 0
    emptied(postgres_url)


def test_the_first_commands_come_early() -> None:
    lines = README.splitlines()

    assert lines.index("$ make serve") < 15
    assert next(number for number, line in enumerate(lines) if line.startswith("$ curl")) < 30
    assert "make test" in "".join(lines[:30])
    assert len(lines) <= 120


@pytest.mark.parametrize(
    "document",
    [
        path.relative_to(ROOT)
        for folder in (".", "docs", "openapi", "tests/parity", "docs/decisions")
        for path in sorted((ROOT / folder).glob("*.md"))
    ],
    ids=str,
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / document.parent / target).exists(), f"{document} links to {target}"


def test_the_tests_that_the_differences_name_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "differences.md").read_text()))
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert named
    assert {name for name in named if f"def {name}(" not in source} == set()


def test_make_help_names_the_targets() -> None:
    listed = run("make", "--no-print-directory", "help", cwd=ROOT).stdout

    for target in ("serve", "test", "faults", "check"):
        assert f"make {target}" in listed


def test_the_seed_files_that_are_shown_can_be_loaded() -> None:
    text = (ROOT / "docs" / "seeding.md").read_text(encoding="utf-8")
    files = [seed_file.read(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]

    assert [len(rows) for rows in files] == [1, 1]
    for field in re.findall(r"`(\w+)`", text.split("| field |")[1].split("or an object")[0]):
        assert field in seed_file.ENTRY_FIELDS | {"dag_run_id"}
