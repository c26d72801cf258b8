"""Fixtures: a store on every supported database."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from xcom_server.storage import opening
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import XComStore

from tests.support.databases import filled_from, without_rows
from tests.support.stores import MakeStore, OpenBackend


@pytest.fixture
def open_backend() -> Iterator[OpenBackend]:
    """Yield a function that opens a backend, and close the backend after the test."""
    with ExitStack() as opened:

        def open_(*arguments: Any) -> Backend:
            backend = opening.open_backend(*arguments)
            opened.callback(backend.close)
            return backend

        yield open_


@pytest.fixture(params=["sqlite file", "sqlite memory", "postgresql"])
def backend(
    request: pytest.FixtureRequest,
    database_url: str,
    empty_database: Path,
    open_backend: OpenBackend,
) -> Backend:
    """Return an empty database of each kind."""
    if request.param == "postgresql":
        database_url = without_rows(request.getfixturevalue("postgres_url"))
    backend = open_backend("sqlite://" if request.param == "sqlite memory" else database_url)
    if request.param == "sqlite memory":
        filled_from(empty_database, backend)
    schema.upgrade(backend)
    return backend


@pytest.fixture
def make_store(backend: Backend) -> MakeStore:
    """Return a function that opens a store; the tests of the contract use only this."""
    return partial(SqlXComStore, backend)


@pytest.fixture
def store(make_store: MakeStore) -> XComStore:
    return make_store()
