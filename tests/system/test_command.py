"""The command `xcom-server`: serving, seeding, exporting and its error messages."""

import json
import os
import signal
import socket
import sys
from dataclasses import fields
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy import create_engine, make_url
from xcom_server.settings import Settings
from xcom_server.storage.sql.schema import HEAD

from tests.support.commands import run, xcom_server
from tests.support.databases import emptied, seed_texts
from tests.support.live_server import LiveServer
from tests.support.paths import PARITY
from tests.support.waiting import SECONDS

pytestmark = pytest.mark.slow


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return name


def test_exported_entries_can_be_seeded_again(tmp_path: Path) -> None:
    names = [write(tmp_path, f"{number}.json", text) for number, text in enumerate(seed_texts())]

    seeded = xcom_server(tmp_path, "seed", *names)
    exported = xcom_server(tmp_path, "export")
    runs = xcom_server(tmp_path, "export", "--dag-runs")

    assert seeded.stdout == "Seeded 216 entries and 6 DAG runs.\n"
    assert len(json.loads(exported.stdout)) == 216
    assert len(json.loads(runs.stdout)["dag_runs"]) == 6
    for number, text in enumerate((runs.stdout, exported.stdout)):
        name = write(tmp_path, f"copy{number}.json", text)
        other = {"XCOM_DATABASE_URL": "sqlite:///copy.db"}
        assert xcom_server(tmp_path, "seed", name, **other).returncode == 0
    assert xcom_server(tmp_path, "export", **other).stdout == exported.stdout


def test_one_invalid_file_prevents_seeding_of_all(tmp_path: Path) -> None:
    xcom_server(tmp_path, "db", "upgrade")
    good = write(tmp_path, "good.json", seed_texts()[1])
    bad = str(PARITY / "airflow-2.10.5.seed.json")

    seeded = xcom_server(tmp_path, "seed", good, bad)

    assert seeded.returncode == 1
    assert seeded.stderr == f"Error: {bad}: entry 18: it contains NaN, which is not valid in JSON\n"
    assert json.loads(xcom_server(tmp_path, "export").stdout) == []


def test_error_names_the_files_of_duplicate_rows(tmp_path: Path) -> None:
    row = {"dag_id": "d", "run_id": "r", "task_id": "t", "key": "k", "value": 1}
    one = write(tmp_path, "one.json", json.dumps([row]))
    two = write(tmp_path, "two.json", json.dumps([{**row, "key": "other"}, row]))

    seeded = xcom_server(tmp_path, "seed", one, two)

    assert seeded.stderr == ("Error: two.json: entry 2: duplicate of one.json: entry 1\n")


def test_seeding_many_entries_shows_progress(tmp_path: Path) -> None:
    row = {"dag_id": "d", "run_id": "r", "task_id": "t", "value": 1}
    many = write(
        tmp_path, "many.json", json.dumps([{**row, "key": str(number)} for number in range(10_001)])
    )
    few = write(tmp_path, "few.json", json.dumps([{**row, "key": "k"}]))

    assert "Seeding" in xcom_server(tmp_path, "seed", many).stderr
    assert xcom_server(tmp_path, "seed", few).stderr == ""


def test_database_is_upgraded_once(tmp_path: Path) -> None:
    (tmp_path / "xcom.db").touch()
    before = xcom_server(tmp_path, "db", "current"), xcom_server(tmp_path, "db", "check")
    first = xcom_server(tmp_path, "db", "upgrade")
    second = xcom_server(tmp_path, "db", "upgrade")
    after = xcom_server(tmp_path, "db", "current"), xcom_server(tmp_path, "db", "check")

    assert first.stdout == f"Upgraded from schema none to {HEAD}.\n"
    assert second.stdout == f"The database is at schema {HEAD}.\n"
    assert [each.stdout for each in before] == ["none\n", ""]
    assert before[1].stderr == (
        f"Error: The database is at schema none, but this server needs {HEAD}."
        " Run: xcom-server db upgrade\n"
    )
    assert [each.stdout for each in after] == [
        f"{HEAD}\n",
        f"The database is at schema {HEAD}, and its tables match it.\n",
    ]
    assert [each.returncode for each in (*before, first, second, *after)] == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        (["seed", "nope.json"], {}, "nope.json"),
        (["serve"], {"XCOM_WORKER": "1"}, "Error: XCOM_WORKER is not a setting. Did you mean"),
        (["serve", "--workers", "two"], {}, "Error: XCOM_WORKERS must be a whole number"),
        (
            ["serve", "--auth", "None"],
            {},
            "Error: XCOM_AUTH must be none, any or users, not 'None'.",
        ),
        (
            ["serve", "--token-lifetime-seconds", "0"],
            {},
            "Error: XCOM_TOKEN_LIFETIME_SECONDS must be a whole number",
        ),
        (
            ["serve"],
            {"XCOM_DATABASE_URL": "sqlite://"},
            "sqlite:// is an in-memory database, and each of the 2 workers would have a separate"
            " one. Run one worker (--workers 1), or use a database file.",
        ),
        (
            ["export"],
            {"XCOM_DATABASE_URL": "nonsense"},
            "Error: XCOM_DATABASE_URL cannot be used: not"
            " a database URL; use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME",
        ),
        (["export"], {"XCOM_DATABASE_URL": "postgresql+nope://u@h/d"}, "use sqlite:///FILE or"),
        (["serve"], {"XCOM_DATABASE_URL": "nonsense"}, "xcom-server: XCOM_DATABASE_URL cannot be"),
        (["export"], {"XCOM_DATABASE_URL": "nodb://x"}, "Error: XCOM_DATABASE_URL cannot be used"),
        (
            ["serve"],
            {"XCOM_DATABASE_URL": "nodb://x"},
            "xcom-server: XCOM_DATABASE_URL cannot be used",
        ),
        (["export"], {"XCOM_DATABASE_URL": "sqlite:////nope/nope/x.db"}, "cannot be used"),
        (["serve"], {"XCOM_DATABASE_URL": "sqlite:////nope/nope/x.db"}, "cannot be used"),
        (["db", "upgrade"], {"XCOM_DATABASE_URL": "sqlite:///junk.db"}, "file is not a database"),
        (["serve"], {"XCOM_DATABASE_URL": "postgresql://u:p@h:port/db"}, "cannot be used"),
        (
            ["export"],
            {"XCOM_DATABASE_URL": "postgresql+psycopg://xcom:SECRET"},
            "not a database URL",
        ),
        (
            ["export"],
            {"XCOM_DATABASE_URL": "postgresql+psycopg://x:p@SECRET@h/d"},
            "write an @ in the password as %40",
        ),
        (["serve"], {"XCOM_DATABASE_URL": "sqlite:///file::memory:?uri=true"}, "in-memory"),
    ],
    ids=[
        "missing seed file",
        "unknown setting",
        "workers not a number",
        "unknown auth mode",
        "token lifetime of zero",
        "in-memory database with two workers",
        "not a URL",
        "unknown driver",
        "serve with not a URL",
        "unknown database",
        "serve with an unknown database",
        "missing folder",
        "serve with a missing folder",
        "not a database file",
        "port not a number",
        "no host",
        "unescaped @ in the password",
        "in-memory URI with two workers",
    ],
)
def test_invalid_use_is_reported_without_a_traceback(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], words: str
) -> None:
    write(tmp_path, "junk.db", "this is no database" * 1000)

    result = xcom_server(tmp_path, *arguments, **environ)

    assert result.returncode != 0
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "SECRET" not in result.stderr + result.stdout


def test_missing_permission_is_reported_without_a_traceback(
    tmp_path: Path, postgres_url: str
) -> None:
    engine = create_engine(emptied(postgres_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS poor")
        connection.exec_driver_sql("CREATE ROLE poor LOGIN")
    engine.dispose()
    poor = make_url(postgres_url).set(username="poor").render_as_string()

    for command in (["db", "current"], ["db", "check"], ["db", "upgrade"], ["export"], ["serve"]):
        result = xcom_server(tmp_path, *command, XCOM_DATABASE_URL=poor)
        assert result.returncode == 1
        assert "permission denied" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
)
def test_port_in_use_is_reported_in_one_line(
    tmp_path: Path, host: str, family: socket.AddressFamily
) -> None:
    with socket.create_server((host, 0), family=family) as other:
        port = other.getsockname()[1]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        result = xcom_server(tmp_path, "serve", "--bind", address)

    assert result.returncode == 1
    assert result.stderr == (
        f"Error: cannot listen on {address}: Address already in use. Choose another address with"
        " --bind or XCOM_BIND.\n"
    )


def test_address_of_another_host_is_reported_in_one_line(tmp_path: Path) -> None:
    result = xcom_server(tmp_path, "serve", "--bind", "192.0.2.1:8080")

    assert result.returncode == 1
    assert result.stderr == (
        "Error: cannot listen on 192.0.2.1:8080: Cannot assign requested address. Choose another"
        " address with --bind or XCOM_BIND.\n"
    )


def test_command_does_not_import_unused_libraries() -> None:
    code = "import sys, xcom_server.cli.main as main; main.main(['--version'], None, None, False); "
    loaded = run(sys.executable, "-c", code + "print(*sys.modules)").stdout.split()

    assert "click" in loaded
    assert {"sqlalchemy", "argon2", "gunicorn", "flask"}.isdisjoint(loaded)


def test_gunicorn_command_uses_the_same_settings(tmp_path: Path) -> None:
    environ = {"XCOM_DATABASE_URL": "sqlite://"}
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))

    refused = run(gunicorn, "wsgi:app", env={**os.environ, **environ})
    checked = run(
        gunicorn, "wsgi:app", "--check-config", "--workers", "1", env={**os.environ, **environ}
    )

    assert "sqlite:// is an in-memory database" in refused.stderr
    assert checked.returncode == 0


def test_single_worker_may_serve_an_in_memory_database(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=1, XCOM_DATABASE_URL="sqlite://") as server:
        assert "xcom-server is ready at" in server.log.read_text()


@pytest.mark.parametrize("name", ["app.py", "app/__init__.py"])
def test_app_package_in_the_current_folder_is_not_imported(tmp_path: Path, name: str) -> None:
    (tmp_path / "app").mkdir()
    write(tmp_path, name, "raise RuntimeError('this is the app of somebody else')")

    with LiveServer(tmp_path) as server, urlopen(f"{server.api}/version") as response:
        assert response.status == 200


def test_ctrl_c_stops_the_server_at_once(tmp_path: Path) -> None:
    """A terminal sends SIGINT to the master and to the workers."""
    with LiveServer(tmp_path) as server:
        os.killpg(server.process.pid, signal.SIGINT)

        assert server.process.wait(SECONDS) == 0


def test_help_lists_every_setting(tmp_path: Path) -> None:
    text = xcom_server(tmp_path, "serve", "--help").stdout

    for spec in fields(Settings):
        # Other users of the machine could read a secret in the list of processes.
        has_option = f"--{spec.name.replace('_', '-')} " in text
        assert has_option is not spec.metadata["is_secret"], spec.name
    for option in (
        "--bind HOST:PORT",
        "--workers N",
        "--database-url URL",
        "--auth none|any|users",
        "--users-file FILE",
        "--token-key-file FILE",
        "--token-lifetime-seconds N",
        "--require-parents true|false",
    ):
        assert option in text
