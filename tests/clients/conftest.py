"""Servers, and the clients of Airflow 3; test_official_clients.py has the old ones."""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import xcom_server
from xcom_server.auth.users import Role
from xcom_server.testing import XcomServer

from tests.support.official import OfficialClient
from tests.support.official_v2 import RUN

numbers = itertools.count()


@pytest.fixture(scope="session")
def anyone() -> Iterator[XcomServer]:
    """Yield a server with two workers that accepts requests without credentials."""
    with xcom_server.running(auth="none", workers=2) as server:
        yield server


@pytest.fixture(scope="session")
def guarded() -> Iterator[XcomServer]:
    """Yield a server with two workers and a user for each role, whose password is their name."""
    users = ",".join(f"{role}:{role}:{role}" for role in Role)
    with xcom_server.running(users=users, workers=2) as server:
        yield server


@pytest.fixture(scope="session")
def new_clients(
    guarded: XcomServer,
    count_case: Callable[..., None],
) -> Iterator[Callable[[str], OfficialClient]]:
    """Yield a function that starts the client of a version once, as `user`."""
    with ExitStack() as stack:

        @functools.cache
        def start(version: str) -> OfficialClient:
            return stack.enter_context(
                OfficialClient(
                    version, guarded.url, count_case, access_token=guarded.token("user", "user")
                )
            )

        yield start


@pytest.fixture(params=["3.3.2", "3.0.2"])
def official(
    request: pytest.FixtureRequest, new_clients: Callable[[str], OfficialClient]
) -> OfficialClient:
    return new_clients(request.param)


@pytest.fixture
def place() -> dict[str, str]:
    """Return the ids of a task in a DAG that no other test writes to."""
    return {"dag_id": f"new_clients_{next(numbers)}", "dag_run_id": RUN, "task_id": "extract"}
