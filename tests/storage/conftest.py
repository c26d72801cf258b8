"""A store on every database that the contract holds for."""

from collections.abc import Iterator
from functools import partial

import pytest
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import XComStore

from tests.support.databases import emptied
from tests.support.stores import MakeStore


@pytest.fixture(params=["sqlite file", "sqlite memory", "postgresql"])
def backend(request: pytest.FixtureRequest, database_url: str) -> Iterator[Backend]:
    """Yield an empty database of each kind."""
    if request.param == "postgresql":
        database_url = emptied(request.getfixturevalue("postgres_url"))
    backend = open_backend("sqlite://" if request.param == "sqlite memory" else database_url)
    schema.upgrade(backend)
    yield backend
    backend.close()


@pytest.fixture
def make_store(backend: Backend) -> MakeStore:
    """Return a function that opens a store; the contract tests know no more about the store."""
    return partial(SqlXComStore, backend)


@pytest.fixture
def store(make_store: MakeStore) -> XComStore:
    return make_store()
