"""An application with the emulator and some data, which the tests of rules share."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server import clock
from xcom_server.factory import create_app
from xcom_server.seed_file import reading
from xcom_server.settings import Settings

from tests.emulator.played import SEED


def application(folder: Any, **settings: Any) -> Iterator[FlaskClient]:
    """Yield a client of an application with the emulator and the data of SEED."""
    app = create_app(
        Settings(
            database_url=f"sqlite:///{folder / 'xcom.db'}",
            token_key_file=str(folder / "token.key"),
            emulator=True,
            **settings,
        )
    )
    app.extensions["store"].load(reading.read(json.dumps(SEED)))
    yield app.test_client(use_cookies=False)
    for name in ("store", "emulator"):
        app.extensions[name].close()
    clock.follow(None)


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Yield a client of an application that accepts any credentials."""
    yield from application(tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module", params=["2.10.5", "3.3.2"])
def server_of_one_release(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, FlaskClient]]:
    """Yield a release of Airflow, and a client of an application that emulates only this one."""
    clients = application(tmp_path_factory.mktemp("release"), airflow_version=request.param)
    yield from ((request.param, client) for client in clients)


@pytest.fixture(scope="module")
def guarded_server(
    tmp_path_factory: pytest.TempPathFactory, users_file: Any
) -> Iterator[FlaskClient]:
    """Yield a client of an application with users, whose password is their name."""
    folder = tmp_path_factory.mktemp("guarded")
    yield from application(folder, auth="users", users_file=str(users_file))
