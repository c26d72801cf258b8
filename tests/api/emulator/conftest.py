"""Fixtures: an application with the emulator, which tests share because it is slow to create."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from xcom_server import clock
from xcom_server.factory import create_app
from xcom_server.settings import Settings


@pytest.fixture(scope="session")
def emulator_application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    path = tmp_path_factory.mktemp("emulator") / "xcom.db"
    settings = Settings(database_url=f"sqlite:///{path}", emulator=True, validate_responses=True)
    app = create_app(settings)
    yield app
    for name in ("store", "emulator"):
        app.extensions[name].close()


@pytest.fixture
def emulator(emulator_application: Flask) -> Iterator[FlaskClient]:
    """Yield a client of the shared application, which has no data."""
    yield emulator_application.test_client()
    extensions: Any = emulator_application.extensions
    extensions["store"].clear()
    extensions["emulator"].reset()
    clock.follow(None)


@pytest.fixture
def emulator_files(emulator_application: Flask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the database of the shared application."""
    url = emulator_application.extensions["store"]._backend.engine.url
    return Path(url.database).parent
