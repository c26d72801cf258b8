"""SQLite and PostgreSQL give byte-identical responses to recorded and generated requests.

Both servers see the same time; random headers (ETag, X-Request-Id) are ignored.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from xcom_server.factory import create_app
from xcom_server.settings import Settings

from tests.support import recorded
from tests.support.databases import emptied, load, seed_texts
from tests.support.paths import PARITY

pytestmark = pytest.mark.slow

Request = dict[str, Any]
"""Method, path, query, headers and body, as in the recordings."""

RANDOM = {"ETag", "X-Request-Id"}
NAMES = [
    "a",
    "A",
    "b",
    "B",
    "ab",
    "a_b",
    "a%b",
    "a\\b",
    "a b",
    "a|b",
    "ä",
    "Ä",
    "é",
    "z",
    "Z",
    "~a",
    "10",
    "9",
    "\U0001f642",
    "\uffee",
    "-",
    "_",
    "%",
]
RUNS = ["r", "R", "scheduled__2024-01-01T00:00Z"]
VALUES = [
    "null",
    '"v"',
    "1.10",
    "1180591620717411303424",
    '{"b": 1, "a": [2, null]}',
    '"ü🙂"',
    '"\\u0001"',
    "-0.0",
    "true",
    "[]",
    "{",
]
FIELDS = [
    "key",
    "dag_id",
    "run_id",
    "task_id",
    "map_index",
    "timestamp",
    "logical_date",
    "run_after",
    "dag_display_name",
    "id",
    "nonsense",
]
DATES = [
    "2024-01-01T00:00:00Z",
    "2024-03-05T06:07:08.9Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-11-25T12:00:00+05:30",
]
GENERATED = 1500


class Clock(datetime):
    """A clock that stands still until a test advances it."""

    current: ClassVar[datetime] = datetime(2026, 1, 1, tzinfo=UTC)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """Return the time."""
        return cls.current.astimezone(tz)  # type: ignore[return-value]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr("xcom_server.storage.sql.store.datetime", Clock)
    monkeypatch.setattr("xcom_server.api.v2.xcom.datetime", Clock)
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


def answer(client: FlaskClient, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
    response = client.open(
        request["path"],
        query_string=request["query"],
        method=request["method"],
        headers=request["headers"],
        data=recorded.body_of(request),
    )
    headers = [(name, value) for name, value in response.headers if name not in RANDOM]
    return response.status_code, headers, response.data


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


def generated(chance: random.Random) -> Request:
    """Return a random request for one of few entries, or for a list of them."""
    version, names = chance.choice(["v1", "v2"]), [chance.choice(NAMES) for _ in range(4)]
    kind = chance.choice(["create", "create", "list", "list", "get", "patch", "delete"])
    if kind != "list" or chance.random() < 0.4:
        names[:3] = [chance.choice("aäB"), chance.choice(RUNS), chance.choice("tT")]
    if kind == "list":
        names[:3] = [name if chance.random() < 0.4 else "~" for name in names[:3]]
    dag, run, task, key = (quote(name, safe="~") for name in names)
    path = f"/api/{version}/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries"
    body = None
    if kind in ("create", "patch"):
        value = chance.choice(VALUES)
        member = f'"key": "{names[3]}", '.replace("\\", "\\\\") if kind == "create" else ""
        body = f'{{{member}"value": {value}}}'
    method = {"create": "POST", "patch": "PATCH", "delete": "DELETE"}.get(kind, "GET")
    return {
        "method": method,
        "path": path + ("" if kind in ("create", "list") else f"/{key}"),
        "query": _query(chance, version) if kind == "list" else "",
        "headers": {"Content-Type": "application/json"},
        "body": body,
        "body_is_raw": True,
    }


def _query(chance: random.Random, version: str) -> str:
    pairs = [("limit", str(chance.choice([0, 1, 3, 100]))), ("offset", str(chance.choice([0, 2])))]
    if chance.random() < 0.3:
        pairs.append(("xcom_key", chance.choice(NAMES)))
    if chance.random() < 0.2:
        pairs.append(("map_index", str(chance.choice([-1, 0]))))
    if version == "v2" and chance.random() < 0.7:
        pairs += [
            ("order_by", chance.choice(["", "-"]) + chance.choice(FIELDS))
            for _ in range(chance.randint(1, 3))
        ]
        pairs.append(
            (
                chance.choice(
                    [
                        "xcom_key_pattern",
                        "run_id_pattern",
                        "task_id_pattern",
                        "dag_display_name_prefix_pattern",
                    ]
                ),
                chance.choice(NAMES),
            )
        )
        pairs.append(
            (
                chance.choice(["logical_date_gte", "run_after_lt", "logical_date_lte"]),
                chance.choice(DATES),
            )
        )
    kept = [pair for pair in pairs if chance.random() < 0.6]
    return "&".join(f"{name}={quote(value)}" for name, value in kept)
