"""`xcom-server db`, `seed` and `export`: their output and their errors, word for word."""

import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from xcom_server.cli import database
from xcom_server.errors import Unavailable
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql.schema import HEAD
from xcom_server.storage.store import XComStore

from tests.support.cli import outcome, run_command
from tests.support.databases import migrate

ENTRY = {"dag_id": "d", "run_id": "r", "task_id": "t", "key": "k", "value": 1}
RUN = {"dag_id": "d", "run_id": "r", "logical_date": "2024-01-01T00:00:00Z"}


def write(name: str, rows: Any) -> str:
    Path(name).write_text(json.dumps(rows), encoding="utf-8")
    return name


@contextmanager
def opened() -> Iterator[Backend]:
    with closing(open_backend("sqlite:///xcom.db")) as backend:
        backend.create_missing()
        yield backend


def test_db_upgrade_from_an_older_schema_reports_both_schemas() -> None:
    with opened() as backend, backend.writing.begin() as connection:
        migrate(connection, "0001")

    assert outcome(run_command("db", "current")) == (0, "0001\n", "")
    assert outcome(run_command("db", "check")) == (
        1,
        "",
        f"Error: The database is at schema 0001, but this server needs {HEAD}."
        " Run: xcom-server db upgrade\n",
    )
    assert outcome(run_command("db", "upgrade")) == (
        0,
        f"Upgraded from schema 0001 to {HEAD}.\n",
        "",
    )
    assert outcome(run_command("db", "current")) == (0, f"{HEAD}\n", "")


def test_db_upgrade_and_check_refuse_a_newer_schema() -> None:
    run_command("db", "upgrade")
    with opened() as backend, backend.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for command in ("upgrade", "check"):
        assert outcome(run_command("db", command)) == (
            1,
            "",
            "Error: The database is at schema 9999, which a newer server created;"
            f" this one needs {HEAD}.\n",
        )


def test_db_check_lists_the_differences_of_the_tables() -> None:
    run_command("db", "upgrade")
    with opened() as backend, backend.engine.begin() as connection:
        connection.execute(text("ALTER TABLE xcom ADD COLUMN other INTEGER"))

    status, output, errors = outcome(run_command("db", "check"))

    assert (status, output) == (1, "")
    difference, last = errors.splitlines()
    assert "remove_column" in difference
    assert "other" in difference
    assert last == "Error: The tables do not match this version's schema."


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([[ENTRY]], "1 entry and 0 DAG runs"),
        ([[ENTRY, {**ENTRY, "key": "k2"}]], "2 entries and 0 DAG runs"),
        ([{"dag_runs": [RUN]}], "0 entries and 1 DAG run"),
        ([{"dag_runs": [RUN, {**RUN, "run_id": "s"}]}, [ENTRY]], "1 entry and 2 DAG runs"),
        ([{"dags": [{"dag_id": "d"}]}], "1 DAG, 0 entries and 0 DAG runs"),
        ([[]], "0 entries and 0 DAG runs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_seed_reports_how_much_it_loaded(files: list[Any], words: str) -> None:
    names = [write(f"{number}.json", rows) for number, rows in enumerate(files)]

    assert outcome(run_command("seed", *names)) == (0, f"Seeded {words}.\n", "")


def test_seed_reads_standard_input() -> None:
    seeded = run_command("seed", "-", stdin=json.dumps([ENTRY]))

    assert seeded.stdout == "Seeded 1 entry and 0 DAG runs.\n"


def test_seed_without_files_is_a_usage_error() -> None:
    status, output, errors = outcome(run_command("seed"))

    assert (status, output) == (2, "")
    assert errors.startswith("Usage: xcom-server seed [OPTIONS] FILES...\n")
    assert errors.endswith("Error: Missing argument 'FILES...'.\n")
    assert not Path("xcom.db").exists()


def test_seed_file_that_is_not_utf_8_is_named() -> None:
    Path("latin.json").write_bytes(b'["\xfc"]')

    assert outcome(run_command("seed", "latin.json")) == (1, "", "Error: latin.json: not UTF-8\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes"),
        ("{}", "neither a list of entries nor an object with dag_runs"),
        ("null", "neither a list of entries nor an object with dag_runs"),
        ('{"dag_runs": {}}', "neither a list of entries nor an object with dag_runs"),
        ("[1]", "entry 1: not an object"),
        ("[1 2]", "not JSON: element 1: expecting ',' and another element, or ']', after it"),
        ("[1] x", "not JSON: extra data after the array"),
        ('[{"a": NaN}]', "entry 1: it contains NaN, which is not valid in JSON"),
        (
            '[{"nope": 1}]',
            "entry 1: unknown field 'nope'; allowed: dag_id, key, logical_date, map_index,"
            " python_repr, run_id, stored, task_id, timestamp, value",
        ),
        (
            '{"dag_runs": [{"nope": 1}]}',
            "DAG run 1: unknown field 'nope'; allowed: conf, dag_id, data_interval_end,",
        ),
        (
            '[{"dag_id": ""}]',
            "entry 1: dag_id must be a string of 1 to 250 characters without NUL",
        ),
        ('[{"dag_id": "~"}]', "entry 1: dag_id must not be '~', which is a wildcard"),
    ],
)
def test_error_in_a_seed_file_names_the_file_and_the_row(content: str, words: str) -> None:
    Path("bad.json").write_text(content)

    status, output, errors = outcome(run_command("seed", "bad.json"))

    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"Error: bad.json: {words}")


def test_export_writes_a_row_a_line() -> None:
    run_command("db", "upgrade")
    assert run_command("export").stdout == "[\n]\n"
    assert run_command("export", "--dag-runs").stdout == '{"dag_runs": [\n]}\n'

    date = {"timestamp": "2024-05-06T07:08:09+00:00", "logical_date": RUN["logical_date"]}
    entries = [{**ENTRY, **date}, {**ENTRY, **date, "key": "k2"}]
    run_command("seed", "-", stdin=json.dumps(entries))

    exported = [
        f'{{"dag_id": "d", "run_id": "r", "logical_date": "2024-01-01T00:00:00+00:00",'
        f' "task_id": "t", "map_index": -1, "key": "{key}", "stored": "1",'
        f' "timestamp": "2024-05-06T07:08:09+00:00"}}'
        for key in ("k", "k2")
    ]
    assert run_command("export").stdout == f"[\n{exported[0]},\n{exported[1]}\n]\n"
    runs = json.loads(run_command("export", "--dag-runs").stdout)
    id_ = runs["dag_runs"][0]["task_instances"][0].pop("id")
    assert str(uuid.UUID(id_)) == id_
    assert runs == {
        "dag_runs": [
            {
                "dag_id": "d",
                "run_id": "r",
                "logical_date": "2024-01-01T00:00:00+00:00",
                "run_after": "2024-01-01T00:00:00+00:00",
                "task_instances": [{"task_id": "t", "map_index": -1}],
            }
        ]
    }


def test_export_of_everything_can_be_seeded_again(tmp_path: Path) -> None:
    run_command("db", "upgrade")
    assert run_command("export", "--all").stdout == (
        '{"dags": [\n], "dag_runs": [\n], "entries": [\n]}\n'
    )
    task = {"task_id": "t", "pool": "small"}
    seed = {"dags": [{"dag_id": "d", "tasks": [task]}], "dag_runs": [RUN], "entries": [ENTRY]}
    run_command("seed", "-", stdin=json.dumps(seed))

    exported = run_command("export", "--all").stdout
    other = {"XCOM_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    seeded = run_command("seed", "-", stdin=exported, environ=other)
    assert seeded.stdout == "Seeded 1 DAG, 1 entry and 1 DAG run.\n"
    assert run_command("export", "--all", environ=other).stdout == exported
    assert json.loads(exported)["dags"][0]["tasks"] == [task]


@pytest.mark.parametrize(
    ("in_doubt", "words"),
    [
        (False, "The database is full."),
        (True, "The database is full. It is not known whether anything was stored."),
    ],
)
def test_unavailable_database_is_reported_with_the_doubt(
    monkeypatch: pytest.MonkeyPatch, in_doubt: bool, words: str
) -> None:
    @contextmanager
    def unavailable(url: str, access: str) -> Iterator[XComStore]:
        raise Unavailable("The database is full.", in_doubt)
        yield

    monkeypatch.setattr(database, "connected_store", unavailable)

    assert outcome(run_command("seed", write("one.json", [ENTRY]))) == (1, "", f"Error: {words}\n")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "nonsense",
            "not a database URL; use sqlite:///FILE or"
            " postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME",
        ),
        (
            "mysql://h/d",
            "unsupported database 'mysql'; use sqlite:///FILE or"
            " postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME",
        ),
        ("postgresql+psycopg://x:p@SECRET@h/d", "write an @ in the password as %40"),
    ],
)
def test_unusable_url_is_reported_with_what_to_use(url: str, words: str) -> None:
    for command in (["export"], ["db", "current"]):
        assert outcome(run_command(*command, environ={"XCOM_DATABASE_URL": url})) == (
            1,
            "",
            f"Error: XCOM_DATABASE_URL cannot be used: {words}\n",
        )
