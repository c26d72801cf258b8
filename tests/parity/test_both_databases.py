"""SQLite and PostgreSQL give byte-identical responses to recorded and generated requests.

Both servers see the same time; random headers (ETag, X-Request-Id) are ignored.
"""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from xcom_server.factory import create_app
from xcom_server.settings import Settings

from tests.support import recorded
from tests.support.databases import emptied, load, seed_texts
from tests.support.generated_requests import Clock, Request, answer, generated
from tests.support.paths import PARITY

pytestmark = pytest.mark.slow

GENERATED = 1500


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr("xcom_server.clock.now", lambda: Clock.current)
    return Clock


@pytest.fixture
def clients(
    tmp_path: Path, postgres_url: str, clock: type[Clock]
) -> Iterator[Callable[..., list[FlaskClient]]]:
    """Yield a function that returns a client for each database, with the same entries."""
    stores = []

    def make(*seeds: str) -> list[FlaskClient]:
        made = []
        for url in (f"sqlite:///{tmp_path}/xcom.db", postgres_url):
            load(emptied(url), *seeds)
            app = create_app(Settings(database_url=url, scheduler_healthy=False, deserialize=True))
            stores.append(app.extensions["store"])
            made.append(app.test_client())
        return made

    yield make
    for store in stores:
        store.close()


def compare(clients: list[FlaskClient], requests: list[Request]) -> int:
    """Send each request to both clients; return how many requests changed something."""
    changed = 0
    for request in requests:
        Clock.current += timedelta(microseconds=1_234_567)
        first, second = (answer(client, request) for client in clients)
        assert first == second, request
        changed += request["method"] not in ("GET", "HEAD", "OPTIONS") and first[0] < 300
    return changed


@pytest.mark.parametrize("version", ["2.10.5", "3.3.2"])
def test_recorded_requests_get_identical_responses(
    clients: Callable[..., list[FlaskClient]], version: str, count_case: Callable[..., None]
) -> None:
    seeds = (
        seed_texts()
        if version == "2.10.5"
        else [
            (PARITY / "parents.json").read_text(),
            (PARITY / "airflow-3.3.2.seed.json").read_text(),
        ]
    )
    requests = [
        case["request"]
        for kind in ("cases", "requests")
        for case in recorded.cases(PARITY / f"airflow-{version}.{kind}.jsonl")
        if not case["request"]["path"].startswith("/auth/")
    ]  # tokens depend on the time

    assert compare(clients(*seeds), requests) > 0

    count_case("recorded requests with the same bytes from SQLite and PostgreSQL", len(requests))


def test_generated_requests_get_identical_responses(
    clients: Callable[..., list[FlaskClient]], count_case: Callable[..., None]
) -> None:
    chance = random.Random(20261125)
    requests = [generated(chance) for _ in range(GENERATED)]

    assert compare(clients(), requests) > GENERATED / 10

    count_case("generated requests with the same bytes from SQLite and PostgreSQL", GENERATED)
