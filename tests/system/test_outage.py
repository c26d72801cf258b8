"""While PostgreSQL cannot be used the server says so, and goes on as soon as it can be.

Every answer is waited for while the outage lasts, so a server without limits of its own would hang
and fail the test.  The limits themselves are in tests/storage/test_executor.py.
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
"""Three clients for each thread of the server's."""


Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres")) as made:
        emptied(made.url)
        yield made


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server of two workers, which asks who is there."""
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
    """Return a function that calls an operation; there is an entry `old`, and none `new`."""

    def made(*arguments: Any) -> Answer:
        with Client(server.url, user="admin", token=token) as client:
            return client.call(*arguments)

    for key in ("old", "new"):
        made("v2", "delete", key)
    made("v2", "create", "old", "as it was")
    return made


def all_at_once(ask: Callable[[Any], Answer], questions: list[Any]) -> list[Answer]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, questions))


def refused(call: Call, operations: list[tuple[str, str]]) -> list[Answer]:
    """Assert that operations are refused in their version's shape; return the answers."""

    def ask(operation: tuple[str, str]) -> Answer:
        key = "new" if operation[1] == "create" else "old"
        return call(*operation, key, "as it never was")

    answers = all_at_once(ask, operations)
    for (version, _), answer in zip(operations, answers, strict=True):
        says_unavailable(version, answer)
    return answers


def nothing_changed(call: Call) -> bool:
    return (
        call("v2", "get", "old").body["value"] == "as it was"
        and call("v2", "get", "new").status == 404
    )


@pytest.mark.parametrize("outage", [killed, paused])
def test_every_operation_is_refused_meanwhile_and_changes_nothing(
    postgres: Postgres,
    call: Call,
    outage: Outage,
    count_case: Callable[..., None],
    figure: Callable[[str, float], None],
) -> None:
    with outage(postgres):
        answers = refused(call, list(OPERATIONS))

    assert nothing_changed(call)
    count_case("operations refused during an outage", len(answers))
    figure(
        f"seconds until the slowest refusal, PostgreSQL {outage.__name__}",
        max(answer.seconds for answer in answers),
    )


@pytest.mark.parametrize("outage", [killed, paused])
def test_probes_and_tokens_need_no_database(
    postgres: Postgres, server: LiveServer, outage: Outage
) -> None:
    """Airflow's health is 200 whatever it says; what decides on traffic is /ready."""
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
        found = dict(zip(paths, all_at_once(ask, paths), strict=True))
        client.login("admin")
        assert client.call("v1", "list").status == 503
        client.user = None
        assert client.call("v1", "list").status == 401

    assert {path: answer.status for path, answer in found.items()} == (
        dict.fromkeys(paths, 200) | {"/ready": 503}
    )
    assert "database" in str(found["/ready"].body).lower()
    for path in paths[2:5]:
        assert found[path].body["metadatabase"]["status"] == "unhealthy"
    assert ask("/ready").status == 200
    assert ask("/health").body["metadatabase"]["status"] == "healthy"


def test_more_clients_than_threads_are_told_and_few_of_them_wait_for_the_database(
    postgres: Postgres, server: LiveServer, call: Call, figure: Callable[[str, float], None]
) -> None:
    """A database that says nothing would hold every thread, and the probes behind them.

    Whoever waited for it in vain is in the log; the others were told without asking it.
    """

    def waited() -> int:
        return server.log.read_text().count(UNRESPONSIVE.reason)

    def ask(number: int) -> list[Answer]:
        with Client(server.url) as client:
            return [
                call("v2", "get", "old") if number % 6 else client.ask("GET", "/live")
                for _ in range(3)
            ]

    before = waited()
    with paused(postgres), ThreadPoolExecutor(MANY) as pool:
        first = list(pool.map(lambda _: call("v1", "list"), range(MANY)))  # these wait, and queue
        answers = list(pool.map(ask, range(MANY)))
        waited_in_vain = waited() - before

    assert {answer.status for answer in first} == {503}
    told = [answer for number, each in enumerate(answers) for answer in each if number % 6]
    alive = [answer for number, each in enumerate(answers) for answer in each if not number % 6]
    assert {answer.status for answer in told} == {503}
    assert {answer.status for answer in alive} == {200}
    figure(
        "seconds until /live, PostgreSQL paused and three clients a thread",
        max(answer.seconds for answer in alive),
    )
    figure(
        "seconds until the slowest refusal, PostgreSQL paused and three clients a thread",
        max(answer.seconds for answer in told),
    )
    assert 0 < waited_in_vain < len(first) + len(told)
    assert call("v2", "get", "old").status == 200


@pytest.mark.parametrize("asked", [True, False], ids=["asked meanwhile", "not asked meanwhile"])
@pytest.mark.parametrize("outage", [killed, paused, cut_off])
def test_the_next_request_after_an_outage_is_answered(
    postgres: Postgres, call: Call, outage: Outage, asked: bool
) -> None:
    """Of every worker and on every connection of its pool, reading and writing."""
    all_at_once(lambda _: call("v2", "get", "old"), [None] * 16)
    with outage(postgres):
        if asked:
            all_at_once(lambda _: call("v2", "get", "old"), [None] * AT_ONCE)

    first = call("v2", "update", "old", "as it is now")
    then = all_at_once(
        lambda operation: call(*operation, "old", "as it is now"),
        [*READS, ("v1", "update"), ("v2", "update")] * 3,
    )

    assert first.status == 200
    assert [answer.status for answer in then] == [200] * len(then)


def test_a_worker_that_dies_during_an_outage_is_replaced(
    postgres: Postgres, server: LiveServer, call: Call
) -> None:
    master = psutil.Process(server.process.pid)
    before = {worker.pid for worker in master.children()}
    with killed(postgres):
        master.children()[0].kill()
        until(lambda: len({each.pid for each in master.children()} - before) == 1)
        refused(call, READS)

    answers = all_at_once(lambda _: call("v2", "get", "old"), [None] * 16)
    assert [answer.status for answer in answers] == [200] * 16
    assert len(master.children()) == len(before)
    assert server.process.poll() is None


def test_writes_go_on_after_a_crash_and_none_is_lost(
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


def test_a_database_that_may_be_read_alone_is_read(postgres: Postgres, call: Call) -> None:
    with configured(postgres, "default_transaction_read_only", "on"):
        refused(call, WRITES)
        assert [call(*operation, "old").status for operation in READS] == [200] * len(READS)

    assert nothing_changed(call)
    assert call("v2", "update", "old").status == 200


def test_a_write_that_the_standby_never_confirms_is_refused(postgres: Postgres, call: Call) -> None:
    """It is in doubt: on the primary's disk, where nobody sees it before a standby has it too.

    PostgreSQL's own limits do not end this wait.
    """
    with configured(postgres, "synchronous_standby_names", "gone"):
        refused(call, [("v1", "create"), ("v2", "update")])
        refused(call, [("v2", "delete")])
        assert [call(*operation, "old").status for operation in READS] == [200] * len(READS)
        assert nothing_changed(call)

    until(lambda: call("v2", "get", "new").status == 200)
    until(lambda: call("v2", "get", "old").body["value"] == "as it never was")


def test_a_row_that_somebody_holds_is_not_waited_for_long(postgres: Postgres, call: Call) -> None:
    with psycopg.connect(postgres.conninfo) as connection:
        connection.execute("SELECT * FROM xcom WHERE key = 'old' FOR UPDATE")
        refused(call, [each for each in WRITES if each[1] != "create"])
        assert call("v1", "get", "old").status == 200
        assert call("v1", "create", "new").status == 200

    assert call("v1", "get", "old").body["value"] == "as it was"


def test_a_table_that_somebody_holds_is_not_waited_for_long(postgres: Postgres, call: Call) -> None:
    with psycopg.connect(postgres.conninfo) as connection:
        connection.execute("LOCK TABLE xcom IN ACCESS EXCLUSIVE MODE")
        refused(call, [*READS[:2], *WRITES[:2]])

    assert nothing_changed(call)


def test_while_every_connection_is_busy_others_are_sent_away(
    postgres: Postgres, tmp_path: Path
) -> None:
    """One connection, four threads: three wait for it, and not for long."""
    with LiveServer(
        tmp_path, workers=1, XCOM_DATABASE_URL=postgres.url, XCOM_POOL_SIZE="1"
    ) as server:

        def ask(operation: tuple[str, str]) -> Answer:
            with Client(server.url) as client:
                return client.call(*operation)

        with psycopg.connect(postgres.conninfo) as connection:
            connection.execute("LOCK TABLE xcom IN ACCESS EXCLUSIVE MODE")
            refused(lambda *operation: ask(operation[:2]), READS)
        answers = all_at_once(ask, [("v1", "list"), ("v2", "list")] * 8)

    assert [answer.status for answer in answers] == [200] * 16
