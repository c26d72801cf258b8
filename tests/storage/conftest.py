"""A store on every database that the contract holds for."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from xcom_server.storage.database.engine import open_engine
from xcom_server.storage.database.executor import Database
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import XComStore

from tests.conftest import emptied


@pytest.fixture(params=["sqlite file", "sqlite memory", "postgresql"])
def engine(request: pytest.FixtureRequest, database_url: str) -> Iterator[Engine]:
    """Yield an empty database of each kind."""
    if request.param == "postgresql":
        database_url = emptied(request.getfixturevalue("postgres_url"))
    engine = open_engine("sqlite://" if request.param == "sqlite memory" else database_url)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> XComStore:
    return XComStore(Database(engine))
