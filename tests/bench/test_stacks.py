"""The server and the other stacks return the same entries for the same requests."""

import json
import sqlite3
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from bench import in_process
from bench.contenders import BARE, CHECKED, FLOOR, MARSHMALLOW, THIS
from bench.data import KEYS, TASKS, Layout, fill
from bench.databases import remove_new
from bench.in_process import Application
from bench.operations import V1, V2, Request, operations, run_operations

ENTRIES = 1000
NAMES = (THIS, CHECKED, BARE, MARSHMALLOW, FLOOR)
LISTS = ("list of 100", "list of all, first page", "list of all, deep")

numbers = count()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = f"sqlite:///{tmp_path_factory.mktemp('bench')}/xcom.db"
    fill(made, ENTRIES)
    return made


@pytest.fixture(scope="module")
def applications(url: str) -> Iterator[dict[str, Application]]:
    """Yield the contenders, and close the connections that they opened."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recording_connect(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **options))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        for module in (sqlite3, sqlite3.dbapi2):  # the standard library's users, SQLAlchemy
            patch.setattr(module, "connect", recording_connect)
        yield in_process.contenders(url)
    for connection in opened:
        connection.close()


def answer(application: Application, request: Request) -> tuple[int, Any]:
    """Return the status and the body."""
    statuses: list[str] = []
    body = b"".join(
        application(
            in_process.environ(request), lambda status, headers, error=None: statuses.append(status)
        )
    )
    return int(statuses[0].split()[0]), json.loads(body) if body else None


@pytest.mark.parametrize("name", NAMES)
def test_every_contender_returns_the_expected_statuses(
    name: str, applications: dict[str, Application]
) -> None:
    number = next(numbers)
    statuses = {
        each.name: answer(applications[name], each.request(number))[0]
        for each in operations(Layout(ENTRIES)).values()
    }
    assert statuses == {each.name: each.status for each in operations(Layout(ENTRIES)).values()}


def test_v2_returns_the_expected_statuses(
    applications: dict[str, Application],
) -> None:
    number = next(numbers)
    wanted = operations(Layout(ENTRIES), V2)
    assert [answer(applications[THIS], each.request(number))[0] for each in wanted.values()] == [
        each.status for each in wanted.values()
    ]


@pytest.mark.parametrize("base", [V1, V2])
def test_requests_about_runs_are_answered(base: str, applications: dict[str, Application]) -> None:
    found = {
        each.name: answer(applications[THIS], each.request(next(numbers)))
        for each in run_operations(Layout(ENTRIES), base).values()
    }
    assert {name: status for name, (status, _) in found.items()} == dict.fromkeys(found, 200)
    assert found["list of 100 runs"][1]["total_entries"] >= Layout(ENTRIES).runs
    assert found["list of 100 task instances"][1]["total_entries"] == Layout(ENTRIES).instances


@pytest.mark.parametrize("listed", LISTS)
def test_contenders_list_the_same_entries(
    listed: str, applications: dict[str, Application]
) -> None:
    request = operations(Layout(ENTRIES))[listed].request(5)
    pages = [answer(applications[name], request)[1] for name in NAMES]
    assert [page["total_entries"] for page in pages] == [
        KEYS if listed == "list of 100" else ENTRIES
    ] * len(NAMES)
    entries = [
        [(each["dag_id"], each["task_id"], each["key"]) for each in page["xcom_entries"]]
        for page in pages
    ]
    assert len(entries[0]) == KEYS
    assert entries == [entries[0]] * len(NAMES)


def test_contenders_find_the_same_entry(applications: dict[str, Application]) -> None:
    request = operations(Layout(ENTRIES))["GET entry"].request(7)
    keys = [answer(applications[name], request)[1]["key"] for name in NAMES]
    assert keys == [request.path.rpartition("/")[2]] * len(NAMES)


def test_remove_new_deletes_only_what_requests_created(
    url: str, applications: dict[str, Application]
) -> None:
    wanted = operations(Layout(ENTRIES))
    assert answer(applications[THIS], wanted["POST"].request(next(numbers)))[0] == 200
    remove_new(url)
    _, page = answer(applications[THIS], wanted["list of all, first page"].request(0))
    assert page["total_entries"] == ENTRIES


@pytest.mark.parametrize(
    ("entries", "dags", "runs"),
    [(1000, 1, 1), (10_000, 10, 1), (100_000, 10, 10), (1_000_000, 10, 100)],
)
def test_layout_spreads_entries_over_distinct_instances(entries: int, dags: int, runs: int) -> None:
    layout = Layout(entries)
    assert (layout.dags, layout.runs) == (dags, runs)
    assert layout.instances * KEYS == entries
    places = [layout.instance(number) for number in range(layout.instances)]
    assert len(set(places)) == dags * runs * TASKS
    assert places[-1] == (
        f"dag_{dags - 1}",
        f"scheduled__{layout.date(runs - 1).isoformat()}",
        f"task_{TASKS - 1}",
    )
