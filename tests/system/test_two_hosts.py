"""Two hosts that share one PostgreSQL behave like one server."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from xcom_server.auth.users import Role, User, UsersFile, write
from xcom_server.storage.sql import schema

from tests.support.commands import XCOM_SERVER
from tests.support.databases import emptied
from tests.support.http_client import Answer, Client
from tests.support.live_server import LiveServer
from tests.support.passwords import CHEAP
from tests.support.postgres import Postgres

pytestmark = pytest.mark.slow

VERSIONS = ["v1", "v2"]
RACES = 25
"""How often each race is run."""

Hosts = tuple[LiveServer, LiveServer]


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the users file that the hosts share."""
    path = tmp_path_factory.mktemp("shared") / "users.json"
    write(path, {role: user(role, role) for role in (Role.ADMIN, Role.VIEWER)})
    return path


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, users: Path) -> Iterator[Hosts]:
    """Yield two servers that share a database, users and the token key."""
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres(users.parent))
        settings: dict[str, Any] = {
            "XCOM_DATABASE_URL": emptied(postgres.url),
            "XCOM_AUTH": "users",
            "XCOM_USERS_FILE": str(users),
            "XCOM_TOKEN_KEY_FILE": str(users.with_name("token.key")),
        }
        one, two = (
            stack.enter_context(LiveServer(tmp_path_factory.mktemp("host"), **settings))
            for _ in range(2)
        )
        yield one, two


@pytest.fixture
def clients(hosts: Hosts) -> Iterator[list[Client]]:
    """Yield four clients that alternate between the hosts; two start with each host."""
    one, two = (host.url for host in hosts)
    with ExitStack() as stack:
        token = stack.enter_context(Client(one)).login("admin")
        yield [
            stack.enter_context(Client(*urls, user="admin", token=token))
            for urls in 2 * [(one, two), (two, one)]
        ]


def user(name: str, role: Role) -> User:
    """Return a user whose password is the name, with a hash that is cheap to check."""
    return User(name, role, CHEAP.hash(name))


def run_at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Call functions at the same time and return their results."""
    barrier = Barrier(len(calls))

    def begin(call: Callable[[], Any]) -> Any:
        barrier.wait(20)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))


def race(clients: list[Client], name: str, key: str) -> list[Answer]:
    """Call one operation with all clients at once, in both versions; return the responses."""
    return run_at_once(
        *(
            lambda client=client, number=number: client.call(
                VERSIONS[number // 2], name, key, f"value {number}"
            )
            for number, client in enumerate(clients)
        )
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_two_hosts_behave_like_one(clients: list[Client], version: str) -> None:
    """Consecutive steps go to different hosts."""
    client, key = clients[0], f"life in {version}"
    steps = [
        ("get", None),
        ("create", "1"),
        ("get", "1"),
        ("list", None),
        ("update", "2"),
        ("get", "2"),
        ("create", "3"),
        ("get", "2"),
        ("delete", None),
        ("get", None),
    ]
    found = [(name, client.call(version, name, key, value)) for name, value in steps]
    statuses = [response.status for _, response in found]
    values = [
        response.body["value"]
        for name, response in found
        if name == "get" and response.status == 200
    ]

    created = 200 if version == "v1" else 201
    assert statuses == [404, created, 200, 200, 200, 200, 409, 200, 204, 404]
    assert values == ["1", "2", "2"]
    assert key in [entry["key"] for entry in found[3][1].body["xcom_entries"]]


def test_one_of_concurrent_creates_succeeds(
    clients: list[Client], count_case: Callable[..., None]
) -> None:
    for number in range(RACES):
        key = f"created {number}"
        responses = race(clients, "create", key)
        accepted = [each for each in responses if each.status in (200, 201)]

        assert sorted(each.status for each in responses)[1:] == [409] * 3, responses
        assert [client.call("v2", "get", key).body["value"] for client in clients] == (
            [accepted[0].body["value"]] * 4
        )
    count_case("races of two hosts", RACES)


def test_one_of_concurrent_deletes_succeeds(
    clients: list[Client], count_case: Callable[..., None]
) -> None:
    for number in range(RACES):
        key = f"deleted {number}"
        clients[0].call("v2", "create", key)
        responses = race(clients, "delete", key)

        assert Counter(each.status for each in responses) == {204: 1, 404: 3}
        assert [client.call("v1", "get", key).status for client in clients] == [404] * 4
    count_case("races of two hosts", RACES)


def test_last_of_concurrent_updates_wins(
    clients: list[Client], count_case: Callable[..., None]
) -> None:
    """The stored value is the last one that some client wrote."""
    clients[0].call("v2", "create", "changed")

    def change(number: int) -> list[int]:
        return [
            clients[number]
            .call(VERSIONS[number % 2], "update", "changed", f"{number} {turn}")
            .status
            for turn in range(RACES)
        ]

    statuses = run_at_once(*(lambda number=number: change(number) for number in range(4)))
    read = {client.call("v1", "get", "changed").body["value"] for client in clients}

    assert statuses == [[200] * RACES] * 4
    assert len(read) == 1
    assert read <= {f"{number} {RACES - 1}" for number in range(4)}
    count_case("races of two hosts", RACES)


def test_token_of_one_host_is_valid_at_the_other(hosts: Hosts) -> None:
    for mine, other in (hosts, hosts[::-1]):
        with Client(mine.url) as client, Client(other.url) as other_client:
            client.login("viewer")
            other_client.token = client.token

            assert other_client.call("v2", "list").status == 200
            assert other_client.call("v2", "create", "forbidden").status == 403
            other_client.token = f"{client.token}x"
            assert other_client.call("v2", "list").status == 403


def test_added_and_removed_users_apply_to_both_hosts(hosts: Hosts, users: Path) -> None:
    before = dict(UsersFile(users).users())

    def statuses() -> set[int]:
        return {client.call("v1", "list").status for _ in range(4)}

    with Client(*(host.url for host in hosts)) as client:
        client.user = "newcomer"
        assert statuses() == {401}
        write(users, before | {"newcomer": user("newcomer", Role.VIEWER)})
        assert statuses() == {200}
        write(users, before)
        assert statuses() == {401}


def test_hosts_may_upgrade_the_database_concurrently(tmp_path: Path) -> None:
    with Postgres(tmp_path) as postgres:
        environ = {**os.environ, "XCOM_DATABASE_URL": postgres.url}
        upgrades = [
            subprocess.Popen(
                [XCOM_SERVER, "db", "upgrade"],
                cwd=tmp_path,
                env=environ,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        outputs = [upgrade.communicate(timeout=60)[0] for upgrade in upgrades]

        assert [upgrade.returncode for upgrade in upgrades] == [0, 0], outputs
        assert postgres.execute("SELECT version_num FROM alembic_version") == [(schema.HEAD,)]
