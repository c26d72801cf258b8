"""The clients of Airflow 3, which need a token; test_official_clients.py has the old ones."""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.live_server import LiveServer
from tests.support.official import OfficialClient
from tests.support.official_v2 import RUN, token_of

numbers = itertools.count()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, users_file: Path) -> Iterator[LiveServer]:
    """Yield gunicorn with two workers that require authentication."""
    with LiveServer(
        tmp_path_factory.mktemp("guarded"), XCOM_AUTH="users", XCOM_USERS_FILE=str(users_file)
    ) as live:
        yield live


@pytest.fixture(scope="session")
def new_clients(
    guarded: LiveServer,
    count_case: Callable[..., None],
) -> Iterator[Callable[[str], OfficialClient]]:
    """Yield a function that starts the client of a version once, as `user`."""
    with ExitStack() as stack:

        @functools.cache
        def start(version: str) -> OfficialClient:
            return stack.enter_context(
                OfficialClient(
                    version, guarded.url, count_case, access_token=token_of(guarded, "user")
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
