"""Unusual settings of a PostgreSQL database, of a role or of the environment change no response.

The same requests go to SQLite, and to PostgreSQL with one unusual setting at a time.
"""

import json
import random
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url
from xcom_server.factory import create_app
from xcom_server.settings import Settings
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema

from tests.support.cli import outcome, run_command
from tests.support.databases import emptied, load
from tests.support.generated_requests import Clock, Request, answer, generated
from tests.support.postgres import Postgres

pytestmark = pytest.mark.slow

UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
Answer = tuple[int, bytes]
START = datetime(2026, 1, 1, tzinfo=UTC)
DATE = "2024-01-31T12:00:00.123456+00:00"
SEED = json.dumps(
    {
        "dags": [{"dag_id": "ä\\b", "tags": ["I"]}, {"dag_id": "I"}],
        "dag_runs": [
            {
                "dag_id": "ä\\b",
                "run_id": "r",
                "logical_date": DATE,
                "start_date": "0001-01-02T00:00:00+00:00",
                "end_date": "9999-12-30T00:00:00+00:00",
                "note": "'it''s' \\' żółć 🙂",
                "conf": {"a\\": "\\\\'"},
                "task_instances": [
                    {"task_id": "t", "duration": 12345.678901234567, "start_date": DATE},
                    {"task_id": "I", "duration": 0.1},
                    {"task_id": "ı", "duration": 1e-07},
                ],
            }
        ],
    }
)
RUN = "/api/{}/dags/%C3%A4%5Cb/dagRuns/r"


def request(method: str, path: str, query: str = "", body: object = None) -> Request:
    return {
        "method": method,
        "path": path,
        "query": query,
        "headers": {"Content-Type": "application/json"},
        "body": None if body is None else json.dumps(body),
        "body_is_raw": True,
    }


REQUESTS = [
    request("GET", f"{RUN}/taskInstances".format("v1"), "duration_gte=0.1"),
    request("GET", f"{RUN}/taskInstances".format("v2"), "order_by=-duration"),
    request("GET", "/api/v1/dags/~/dagRuns", f"execution_date_lte={DATE.replace('+', '%2B')}"),
    request("GET", "/api/v2/dags/~/dagRuns", f"logical_date_gte={DATE[:19]}Z&order_by=-run_id"),
    request("PATCH", f"{RUN}/setNote".format("v1"), body={"note": "\\ü"}),
    request("PATCH", RUN.format("v1"), body={"state": "failed"}),
    request("PATCH", RUN.format("v2"), body={"note": "'\\'"}),
    request("GET", RUN.format("v2")),
    request("GET", "/api/v2/dags", "dag_id_pattern=%25\\%25&order_by=dag_id"),
    request("GET", "/api/v2/dags", "dag_id_pattern=i"),
    request("GET", "/api/v1/dags", "tags=I"),
    request("POST", "/api/v2/dags/I/dagRuns", body={"logical_date": DATE, "dag_run_id": "new"}),
    request("DELETE", RUN.format("v1")),
    request("GET", "/api/v1/dags/~/dagRuns/~/taskInstances/~/xcomEntries"),
    request("GET", "/api/v1/dags/~/dagRuns/~/taskInstances"),
]


@pytest.fixture(autouse=True, scope="module")
def clock() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xcom_server.clock.now", lambda: Clock.current)
        yield


def answers(url: str) -> list[Answer]:
    """Seed an empty database, and return the status and the body of each response."""
    Clock.current = START
    load(url, SEED)
    chance = random.Random(2026)
    found = []
    app = create_app(Settings(database_url=url))
    with closing(app.extensions["store"]):
        client = app.test_client()
        for number, each in enumerate([*(generated(chance) for _ in range(60)), *REQUESTS]):
            Clock.current = START + timedelta(seconds=number)
            status, _, body = answer(client, each)
            found.append((status, UUID.sub(b"<uuid>", body)))
    return found


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """Return the responses of a server on SQLite."""
    found = answers(emptied(f"sqlite:///{tmp_path_factory.mktemp('usual')}/xcom.db"))
    assert {status for status, _ in found} >= {200, 201, 204, 400, 404, 422}
    return found


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


SETTINGS = {
    "encoding": {"client_encoding": "LATIN1", "lc_messages": "C", "client_min_messages": "debug5"},
    "dates": {
        "DateStyle": "German, DMY",
        "IntervalStyle": "sql_standard",
        "TimeZone": "Asia/Kathmandu",
        "lc_time": "C",
    },
    "numbers": {"extra_float_digits": "-15", "lc_numeric": "C", "lc_monetary": "C"},
    "literals": {
        "standard_conforming_strings": "off",
        "backslash_quote": "off",
        "escape_string_warning": "off",
        "bytea_output": "escape",
        "quote_all_identifiers": "on",
        "array_nulls": "off",
        "transform_null_equals": "on",
        "xmloption": "document",
        "xmlbinary": "hex",
        "default_text_search_config": "simple",
    },
    "schema": {
        "search_path": "elsewhere",
        "default_tablespace": "pg_default",
        "default_table_access_method": "heap",
        "default_toast_compression": "pglz",
        "check_function_bodies": "off",
        "row_security": "off",
    },
    "transactions": {
        "default_transaction_isolation": "serializable",
        "default_transaction_deferrable": "on",
        "synchronous_commit": "off",
        "session_replication_role": "replica",
        "exit_on_error": "on",
        "zero_damaged_pages": "on",
    },
    "time-outs": {
        "statement_timeout": "1",
        "lock_timeout": "1",
        "idle_session_timeout": "600000",
        "idle_in_transaction_session_timeout": "60000",
        "transaction_timeout": "60000",
        "deadlock_timeout": "1",
    },
    "plans": {
        "enable_indexscan": "off",
        "enable_seqscan": "off",
        "enable_sort": "off",
        "enable_hashjoin": "off",
        "plan_cache_mode": "force_generic_plan",
        "debug_parallel_query": "on",
        "jit_above_cost": "0",
        "geqo_threshold": "2",
        "join_collapse_limit": "1",
        "work_mem": "64",
    },
}


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    """Return the URL of a database with a second schema."""
    postgres.execute("CREATE DATABASE unusual")
    url = make_url(postgres.url).set(database="unusual").render_as_string()
    with closing(open_backend(url)) as backend, backend.engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA elsewhere")
    return url


@pytest.fixture
def url(postgres: Postgres, database: str) -> Iterator[str]:
    """Yield the URL of the database `unusual`, whose settings are reset after the test."""
    yield database
    postgres.execute("ALTER DATABASE unusual RESET ALL")


@contextmanager
def created(postgres: Postgres, options: str) -> Iterator[str]:
    """Create a database, and yield its URL."""
    postgres.execute(f"CREATE DATABASE created {options}")
    try:
        yield make_url(postgres.url).set(database="created").render_as_string()
    finally:
        postgres.execute("DROP DATABASE created WITH (FORCE)")


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings_of_the_database_change_no_response(
    postgres: Postgres, url: str, usual: list[Answer], settings: dict[str, str]
) -> None:
    for name, value in settings.items():
        postgres.execute(f"ALTER DATABASE unusual SET {name} = '{value}'")

    for found, expected in zip(answers(emptied(url)), usual, strict=True):
        assert found == expected


def test_check_compares_the_tables_with_any_settings(postgres: Postgres, url: str) -> None:
    for name, value in SETTINGS["literals"].items():
        postgres.execute(f"ALTER DATABASE unusual SET {name} = '{value}'")
    emptied(url)

    result = run_command("db", "check", environ={"XCOM_DATABASE_URL": url})

    assert outcome(result) == (
        0,
        f"The database is at schema {schema.HEAD}, and its tables match it.\n",
        "",
    )


def in_url(url: str, **query: str) -> str:
    return make_url(url).update_query_dict(query).render_as_string()


def test_settings_of_a_role_and_of_the_url_change_no_response(
    postgres: Postgres, url: str, usual: list[Answer]
) -> None:
    postgres.execute("CREATE ROLE odd LOGIN SUPERUSER")
    for name, value in (SETTINGS["dates"] | SETTINGS["numbers"]).items():
        postgres.execute(f"ALTER ROLE odd SET {name} = '{value}'")
    odd = make_url(url).set(username="odd").render_as_string()

    assert answers(emptied(odd)) == usual
    options = "-c DateStyle=SQL -c TimeZone=Asia/Tokyo -c extra_float_digits=-9"
    assert answers(emptied(in_url(url, options=options, client_encoding="LATIN1"))) == usual


@pytest.mark.parametrize(
    "environ",
    [
        {"PGCLIENTENCODING": "LATIN1"},
        {"PGTZ": "Asia/Kathmandu", "PGDATESTYLE": "Postgres", "PGGEQO": "off"},
        {"PGOPTIONS": "-c statement_timeout=1", "PGAPPNAME": "other", "PGCONNECT_TIMEOUT": "1"},
        {"PGSERVICE": "odd"},
    ],
    ids=["encoding", "formats", "options", "service"],
)
def test_variables_of_libpq_change_no_response(
    url: str,
    usual: list[Answer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environ: dict[str, str],
) -> None:
    service = "[odd]\nclient_encoding=LATIN1\noptions=-c DateStyle=German\napplication_name=odd\n"
    (tmp_path / "services").write_text(service)
    emptied(url)
    for name, value in (environ | {"PGSERVICEFILE": str(tmp_path / "services")}).items():
        monkeypatch.setenv(name, value)

    assert answers(url) == usual


def test_locale_of_the_database_changes_no_response(
    postgres: Postgres, usual: list[Answer]
) -> None:
    locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
    with created(postgres, f"TEMPLATE template0 ENCODING UTF8 {locale}") as url:
        assert answers(emptied(url)) == usual


def setting(url: str, name: str) -> str:
    """Return the value of a setting in a session of the server."""
    with closing(open_backend(url)) as backend, backend.engine.connect() as connection:
        return str(connection.exec_driver_sql(f"SHOW {name}").scalar())


@pytest.mark.parametrize(
    ("given", "used"), [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")]
)
def test_commits_are_durable_even_if_the_database_says_otherwise(
    postgres: Postgres, url: str, given: str, used: str
) -> None:
    postgres.execute(f"ALTER DATABASE unusual SET synchronous_commit = '{given}'")

    assert setting(url, "synchronous_commit") == used


def test_commands_have_no_time_limit_even_if_the_role_has_one(postgres: Postgres, url: str) -> None:
    postgres.execute("ALTER DATABASE unusual SET statement_timeout = 1")

    assert setting(url, "statement_timeout") == "0"


def test_database_that_is_read_only_by_default_is_served_for_reading(
    postgres: Postgres, url: str
) -> None:
    load(emptied(url), SEED)
    postgres.execute("ALTER DATABASE unusual SET default_transaction_read_only = on")
    app = create_app(Settings(database_url=url))
    with closing(app.extensions["store"]):
        client = app.test_client()
        read = client.get(RUN.format("v1"))
        refused = client.delete(RUN.format("v1"))

    assert read.status_code == 200
    assert refused.status_code == 503
    assert "The database is read-only." in refused.get_data(as_text=True)


@pytest.mark.parametrize(
    "setting",
    ["idle_session_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"],
)
def test_sessions_that_the_database_ends_early_cause_no_500(
    postgres: Postgres, url: str, setting: str
) -> None:
    load(emptied(url), SEED)
    postgres.execute(f"ALTER DATABASE unusual SET {setting} = 1")
    app = create_app(Settings(database_url=url))
    with closing(app.extensions["store"]):
        client = app.test_client()
        statuses = {answer(client, each)[0] for each in REQUESTS}

    assert statuses <= {200, 201, 204, 404, 409, 503}


def test_schema_that_does_not_exist_is_reported_in_one_line(postgres: Postgres, url: str) -> None:
    postgres.execute("ALTER DATABASE unusual SET search_path = nowhere")
    result = run_command("db", "upgrade", environ={"XCOM_DATABASE_URL": url})

    assert outcome(result)[0] == 1
    assert "no schema has been selected to create in" in result.stderr
    assert len(result.stderr.splitlines()) == 1
