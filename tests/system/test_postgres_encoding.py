"""A PostgreSQL database that is not in UTF-8 is refused by every command, and is a 503 later."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url
from xcom_server.factory import create_app
from xcom_server.settings import Settings

from tests.support.cli import run_command
from tests.support.commands import xcom_server
from tests.support.databases import emptied
from tests.support.postgres import Postgres
from tests.support.v1_calls import create, entry

pytestmark = pytest.mark.slow

HOW = "Create one with: createdb --encoding=UTF8 --template=template0 NAME"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Yield a PostgreSQL with a database in each of some encodings, whose name is the encoding."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as running:
        for encoding in ("LATIN1", "SQL_ASCII", "EUC_JP"):
            running.execute(create_database(encoding, encoding))
        yield running


def create_database(name: str, encoding: str) -> str:
    locale = "LC_COLLATE 'C' LC_CTYPE 'C'"
    return f"CREATE DATABASE \"{name}\" ENCODING '{encoding}' {locale} TEMPLATE template0"


def url_of(postgres: Postgres, name: str) -> str:
    return make_url(postgres.url).set(database=name).render_as_string()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
@pytest.mark.parametrize(
    "command", [["db", "upgrade"], ["db", "check"], ["db", "current"], ["seed", "-"], ["export"]]
)
def test_commands_refuse_another_encoding(
    postgres: Postgres, encoding: str, command: list[str]
) -> None:
    environ = {"XCOM_DATABASE_URL": url_of(postgres, encoding)}

    result = run_command(*command, stdin="[]", environ=environ)

    assert result.exit_code == 1
    assert result.stderr == (
        f'Error: XCOM_DATABASE_URL cannot be used: the database "{encoding}" has the encoding'
        f" {encoding}, but this server needs UTF8. {HOW}\n"
    )


def test_server_does_not_start_on_another_encoding(postgres: Postgres, tmp_path: Path) -> None:
    url = url_of(postgres, "LATIN1")

    result = xcom_server(tmp_path, "serve", "--bind", "127.0.0.1:0", XCOM_DATABASE_URL=url)

    assert result.returncode == 1
    assert result.stderr.endswith(f"but this server needs UTF8. {HOW}\n")
    assert "Traceback" not in result.stderr


def test_database_that_is_replaced_by_one_with_another_encoding_is_unavailable(
    postgres: Postgres,
) -> None:
    postgres.execute(create_database("replaced", "UTF8"))
    app = create_app(Settings(database_url=emptied(url_of(postgres, "replaced"))))
    with closing(app.extensions["store"]):
        client = app.test_client()
        assert create(client, "k", "żółć").status_code == 200
        postgres.execute("DROP DATABASE replaced WITH (FORCE)")
        postgres.execute(create_database("replaced", "LATIN1"))

        answers = [client.get("/ready"), client.get(entry("k")), create(client, "l", "żółć")]

    assert [each.status_code for each in answers] == [503, 503, 503]
    for each in answers:
        assert "The database has the encoding LATIN1; this server needs UTF8." in each.text
