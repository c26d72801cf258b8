"""Fixtures: clients of an application with the control plane, which tests share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from xcom_server import clock


@pytest.fixture
def emulator(emulator_application: Flask) -> Iterator[FlaskClient]:
    """Yield a client of the shared application, which has no data; reset it after the test."""
    yield emulator_application.test_client()
    extensions: Any = emulator_application.extensions
    extensions["store"].clear()
    extensions["emulator"].reset()
    clock.follow(None)


@pytest.fixture
def client(emulator: FlaskClient) -> FlaskClient:
    return emulator


@pytest.fixture
def emulator_files(emulator_application: Flask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the database of the shared application."""
    url = emulator_application.extensions["store"]._backend.engine.url
    return Path(url.database).parent
