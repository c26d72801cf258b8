"""Fixtures for every test: databases, an application, a live server."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, write
from xcom_server.factory import create_app
from xcom_server.settings import Settings

from tests.support.databases import emptied
from tests.support.live_server import LiveServer

pytest_plugins = ["tests.support.ids", "tests.support.report"]

# By default an example may take 200 ms, and its generation not much longer.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a database that has its tables and nothing in them."""
    path = tmp_path_factory.mktemp("empty") / "xcom.db"
    emptied(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_url(tmp_path: Path, empty_database: Path) -> str:
    """Return the URL of an empty database of this test's own."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'xcom.db')}"


@pytest.fixture
def make_client(database_url: str, tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """Yield a function that returns a client of a server with these settings.

    The servers use this test's own database, and are closed after the test.
    """
    with ExitStack() as opened:

        def make(**settings: Any) -> FlaskClient:
            given = {
                "database_url": database_url,
                "validate_responses": True,
                "token_key_file": str(tmp_path / "token.key"),
                **settings,
            }
            app = create_app(Settings(**given))
            opened.callback(app.extensions["store"].close)
            return app.test_client()

        yield make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield gunicorn with two workers on an empty SQLite file."""
    with LiveServer(tmp_path_factory.mktemp("server")) as live:
        yield live


@pytest.fixture(scope="session")
def users_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a user for each role, whose password is their name, and `pub`."""
    path = tmp_path_factory.mktemp("users") / "users.json"
    users = [User(role, role, hash_password(role)) for role in Role]
    users.append(User("pub", Role.PUBLIC, hash_password("pub")))
    write(path, {user.name: user for user in users})
    return path


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a PostgreSQL that this session started, at a Unix socket."""
    from tests.support.postgres import Postgres

    with Postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres.socket_url
