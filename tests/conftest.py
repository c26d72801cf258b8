"""Fixtures for every test: databases, an application, a live server."""

import gc
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from xcom_server.auth import passwords
from xcom_server.factory import create_app
from xcom_server.settings import Settings

from tests.support.databases import clear, emptied
from tests.support.live_server import LiveServer
from tests.support.passwords import CHEAP
from tests.support.users import write_role_users

pytest_plugins = ["tests.support.ids", "tests.support.order", "tests.support.report"]

# By default an example may take 200 ms, and its generation not much longer.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collection, which is then shorter."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def cheap_passwords() -> Iterator[None]:
    """Hash passwords at a low cost; a server in its own process has the cost of production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", CHEAP)
        yield


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a database that has its tables and nothing in them."""
    path = tmp_path_factory.mktemp("empty") / "xcom.db"
    emptied(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path
) -> Iterator[str]:
    """Yield the URL of an empty database.

    A test with `client` gets the database of that shared application, other tests get their own.
    """
    if "client" in request.fixturenames:
        shared: Path = request.getfixturevalue("shared_database")
        yield f"sqlite:///{shared}"
        clear(shared)
    else:
        yield f"sqlite:///{shutil.copy(empty_database, tmp_path / 'xcom.db')}"


@pytest.fixture
def make_client(database_url: str, tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """Yield a function that returns a client of a new application with these settings.

    The applications use the database of this test, and are closed after the test.
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
            for name in {"store", "emulator"} & app.extensions.keys():
                opened.callback(app.extensions[name].close)
            return app.test_client()

        yield make


@pytest.fixture(scope="session")
def shared_database(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path_factory.mktemp("shared") / "xcom.db"))


@pytest.fixture(scope="session")
def shared_application(shared_database: Path) -> Iterator[Flask]:
    """Yield an application that many tests share, because creating one takes 20 ms."""
    app = create_app(Settings(database_url=f"sqlite:///{shared_database}", validate_responses=True))
    yield app
    app.extensions["store"].close()


@pytest.fixture(scope="session")
def emulator_application(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[Flask]:
    """Yield an application with the control plane and a database of its own."""
    path = shutil.copy(empty_database, tmp_path_factory.mktemp("emulator") / "xcom.db")
    url = f"sqlite:///{path}"
    app = create_app(Settings(database_url=url, validate_responses=True, emulator=True))
    yield app
    app.extensions["store"].close()
    app.extensions["emulator"].close()


@pytest.fixture
def client(shared_application: Flask, database_url: str) -> FlaskClient:
    """Return a client of the shared application, whose database is empty."""
    return shared_application.test_client()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield gunicorn with two workers on an empty SQLite file."""
    with LiveServer(tmp_path_factory.mktemp("server")) as live:
        yield live


@pytest.fixture(scope="session")
def users_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a user for each role, whose password is their name, and `pub`."""
    return write_role_users(tmp_path_factory.mktemp("users") / "users.json")


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a PostgreSQL that this session started, at a Unix socket."""
    from tests.support.postgres import Postgres

    with Postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres.socket_url
