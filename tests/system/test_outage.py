"""While PostgreSQL cannot be used, operations are unavailable; afterwards the server recovers.

Responses are awaited during the outage, so a server without time-outs would hang and fail the test.
The time-outs themselves are tested in tests/storage/test_unavailable.py.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from xcom_server.auth.users import Role, User, write
from xcom_server.storage.database.faults import UNRESPONSIVE

from tests.support.databases import emptied
from tests.support.http_client import (
    AT_ONCE,
    OPERATIONS,
    READS,
    WRITES,
    Answer,
    Client,
    says_unavailable,
)
from tests.support.live_server import LiveServer
from tests.support.outages import Outage, configured, cut_off, killed, paused
from tests.support.passwords import CHEAP
from tests.support.postgres import Postgres
from tests.support.waiting import until
from tests.support.writers import Writers

pytestmark = pytest.mark.slow

MANY = 24
"""Three clients for each thread of the server."""


Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres")) as running:
        emptied(running.url)
        yield running


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server of two workers that requires authentication."""
    folder = tmp_path_factory.mktemp("server")
    write(folder / "users.json", {"admin": User("admin", Role.ADMIN, CHEAP.hash("admin"))})
    with LiveServer(
        folder, XCOM_DATABASE_URL=postgres.url, XCOM_AUTH="users", XCOM_USERS_FILE="users.json"
    ) as live:
        yield live


@pytest.fixture(scope="module")
def token(server: LiveServer) -> str:
    with Client(server.url) as client:
        return client.login("admin")


@pytest.fixture
def call(server: LiveServer, token: str) -> Call:
    """Return a function that calls an operation; the entry `old` exists and `new` does not."""

    def send(*arguments: Any) -> Answer:
        with Client(server.url, user="admin", token=token) as client:
            return client.call(*arguments)

    for key in ("old", "new"):
        send("v2", "delete", key)
    send("v2", "create", "old", "as it was")
    return send


def run_all_at_once(ask: Callable[[Any], Answer], questions: list[Any]) -> list[Answer]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, questions))


def assert_unavailable(call: Call, operations: list[tuple[str, str]]) -> list[Answer]:
    """Assert that operations get a 503 in the format of their version; return the responses."""

    def ask(operation: tuple[str, str]) -> Answer:
        key = "new" if operation[1] == "create" else "old"
        return call(*operation, key, "as it never was")

    responses = run_all_at_once(ask, operations)
    for (version, _), response in zip(operations, responses, strict=True):
        says_unavailable(version, response)
    return responses


def is_unchanged(call: Call) -> bool:
    return (
        call("v2", "get", "old").body["value"] == "as it was"
        and call("v2", "get", "new").status == 404
    )


@pytest.mark.parametrize("outage", [killed, paused])
def test_every_operation_is_unavailable_and_changes_nothing(
    postgres: Postgres,
    call: Call,
    outage: Outage,
    count_case: Callable[..., None],
    figure: Callable[[str, float], None],
) -> None:
    with outage(postgres):
        responses = assert_unavailable(call, list(OPERATIONS))

    assert is_unchanged(call)
    count_case("operations refused during an outage", len(responses))
    figure(
        f"seconds until the slowest refusal, PostgreSQL {outage.__name__}",
        max(response.seconds for response in responses),
    )


@pytest.mark.parametrize("outage", [killed, paused])
def test_probes_and_tokens_need_no_database(
    postgres: Postgres, server: LiveServer, outage: Outage
) -> None:
    """Airflow's health endpoint always returns 200; load balancers use /ready."""
    paths = [
        "/live",
        "/ready",
        "/health",
        "/api/v1/health",
        "/api/v2/monitor/health",
        "/api/v1/version",
        "/api/v2/version",
    ]

    def ask(path: str) -> Answer:
        with Client(server.url) as client:
            return client.ask("GET", path)

    with outage(postgres), Client(server.url) as client:
        found = dict(zip(paths, run_all_at_once(ask, paths), strict=True))
        client.login("admin")
        assert client.call("v1", "list").status == 503
        client.user = None
        assert client.call("v1", "list").status == 401

    assert {path: response.status for path, response in found.items()} == (
        dict.fromkeys(paths, 200) | {"/ready": 503}
    )
    assert "database" in str(found["/ready"].body).lower()
    for path in paths[2:5]:
        assert found[path].body["metadatabase"]["status"] == "unhealthy"
    assert ask("/ready").status == 200
    assert ask("/health").body["metadatabase"]["status"] == "healthy"


def test_overload_fails_fast_while_the_database_is_paused(
    postgres: Postgres, server: LiveServer, call: Call, figure: Callable[[str, float], None]
) -> None:
    """A paused database could block every thread, and with them the probes.

    Requests that timed out are in the log; the other ones failed without using the database.
    """

    def timeout_count() -> int:
        return server.log.read_text().count(UNRESPONSIVE.reason)

    def ask(number: int) -> list[Answer]:
        with Client(server.url) as client:
            return [
                call("v2", "get", "old") if number % 6 else client.ask("GET", "/live")
                for _ in range(3)
            ]

    before = timeout_count()
    with paused(postgres), ThreadPoolExecutor(MANY) as pool:
        first = list(pool.map(lambda _: call("v1", "list"), range(MANY)))  # these wait or queue
        responses = list(pool.map(ask, range(MANY)))
        timeouts = timeout_count() - before

    assert {response.status for response in first} == {503}
    refusals = [
        response for number, each in enumerate(responses) for response in each if number % 6
    ]
    alive = [
        response for number, each in enumerate(responses) for response in each if not number % 6
    ]
    assert {response.status for response in refusals} == {503}
    assert {response.status for response in alive} == {200}
    figure(
        "seconds until /live, PostgreSQL paused and three clients a thread",
        max(response.seconds for response in alive),
    )
    figure(
        "seconds until the slowest refusal, PostgreSQL paused and three clients a thread",
        max(response.seconds for response in refusals),
    )
    assert 0 < timeouts < len(first) + len(refusals)
    assert call("v2", "get", "old").status == 200


@pytest.mark.parametrize("has_requests", [True, False], ids=["with requests", "without requests"])
@pytest.mark.parametrize("outage", [killed, paused, cut_off])
def test_first_request_after_an_outage_succeeds(
    postgres: Postgres, call: Call, outage: Outage, has_requests: bool
) -> None:
    """This covers every worker and every connection of its pool, for reads and writes."""
    run_all_at_once(lambda _: call("v2", "get", "old"), [None] * 16)
    with outage(postgres):
        if has_requests:
            run_all_at_once(lambda _: call("v2", "get", "old"), [None] * AT_ONCE)

    first = call("v2", "update", "old", "as it is now")
    then = run_all_at_once(
        lambda operation: call(*operation, "old", "as it is now"),
        [*READS, ("v1", "update"), ("v2", "update")] * 3,
    )

    assert first.status == 200
    assert [response.status for response in then] == [200] * len(then)


def test_worker_killed_during_an_outage_is_replaced(
    postgres: Postgres, server: LiveServer, call: Call
) -> None:
    master = psutil.Process(server.process.pid)
    before = {worker.pid for worker in master.children()}
    with killed(postgres):
        master.children()[0].kill()
        until(lambda: len({each.pid for each in master.children()} - before) == 1)
        assert_unavailable(call, READS)

    responses = run_all_at_once(lambda _: call("v2", "get", "old"), [None] * 16)
    assert [response.status for response in responses] == [200] * 16
    assert len(master.children()) == len(before)
    assert server.process.poll() is None


def test_writes_resume_after_a_crash_and_none_is_lost(
    postgres: Postgres,
    server: LiveServer,
    token: str,
    figure: Callable[[str, float], None],
    count_case: Callable[..., None],
) -> None:
    with Writers(lambda: Client(server.url, user="admin", token=token)) as writers:
        until(lambda: len(writers.accepted()) > 100)
        with killed(postgres):
            until(lambda: writers.refused())
        started = time.monotonic()
        until(lambda: writers.are_accepted(started), 60, server.log.read_text)

    lost = writers.lost(dict(postgres.execute("SELECT key, value FROM xcom")))
    assert lost == set()
    assert {write.status for write in writers.writes()} <= {200, 201, 503}
    figure("accepted writes lost in a crash of PostgreSQL", len(lost))
    count_case("writes accepted around a crash of PostgreSQL", len(writers.accepted()))


def test_read_only_database_serves_reads_and_rejects_writes(postgres: Postgres, call: Call) -> None:
    with configured(postgres, "default_transaction_read_only", "on"):
        assert_unavailable(call, WRITES)
        assert [call(*operation, "old").status for operation in READS] == [200] * len(READS)

    assert is_unchanged(call)
    assert call("v2", "update", "old").status == 200


def test_write_without_confirmation_by_the_standby_is_unavailable(
    postgres: Postgres, call: Call
) -> None:
    """It is in doubt: on the disk of the primary, but not visible until a standby confirms it.

    PostgreSQL's own time-outs do not end this wait.
    """
    with configured(postgres, "synchronous_standby_names", "gone"):
        assert_unavailable(call, [("v1", "create"), ("v2", "update")])
        assert_unavailable(call, [("v2", "delete")])
        assert [call(*operation, "old").status for operation in READS] == [200] * len(READS)
        assert is_unchanged(call)

    until(lambda: call("v2", "get", "new").status == 200)
    until(lambda: call("v2", "get", "old").body["value"] == "as it never was")


def test_locked_row_is_unavailable_for_writes(postgres: Postgres, call: Call) -> None:
    with psycopg.connect(postgres.conninfo) as connection:
        connection.execute("SELECT * FROM xcom WHERE key = 'old' FOR UPDATE")
        assert_unavailable(call, [each for each in WRITES if each[1] != "create"])
        assert call("v1", "get", "old").status == 200
        assert call("v1", "create", "new").status == 200

    assert call("v1", "get", "old").body["value"] == "as it was"


def test_locked_table_is_unavailable(postgres: Postgres, call: Call) -> None:
    with psycopg.connect(postgres.conninfo) as connection:
        connection.execute("LOCK TABLE xcom IN ACCESS EXCLUSIVE MODE")
        assert_unavailable(call, [*READS[:2], *WRITES[:2]])

    assert is_unchanged(call)


def test_busy_connection_pool_is_unavailable(postgres: Postgres, tmp_path: Path) -> None:
    """One connection for four threads: three wait for it until the time-out."""
    with LiveServer(
        tmp_path, workers=1, XCOM_DATABASE_URL=postgres.url, XCOM_POOL_SIZE="1"
    ) as server:

        def ask(operation: tuple[str, str]) -> Answer:
            with Client(server.url) as client:
                return client.call(*operation)

        with psycopg.connect(postgres.conninfo) as connection:
            connection.execute("LOCK TABLE xcom IN ACCESS EXCLUSIVE MODE")
            assert_unavailable(lambda *operation: ask(operation[:2]), READS)
        responses = run_all_at_once(ask, [("v1", "list"), ("v2", "list")] * 8)

    assert [response.status for response in responses] == [200] * 16
