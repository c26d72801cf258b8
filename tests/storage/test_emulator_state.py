"""The state of the control plane on every database, and while many threads use it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from xcom_server.errors import Unavailable
from xcom_server.storage import opening
from xcom_server.storage.emulator import MAX_REQUESTS, EmulatorState, StoredFault
from xcom_server.storage.sql import emulator, schema

from tests.support.databases import drop_tables
from tests.support.stores import limited

FAULT = {"match": {}, "effect": {"type": "reset"}}

MakeState = Callable[[], EmulatorState]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, database_url: str) -> str:
    if request.param == "postgresql":
        database_url = request.getfixturevalue("postgres_url")
        drop_tables(database_url)
    return database_url


@pytest.fixture
def make_state(url: str) -> Iterator[MakeState]:
    """Yield a function that opens the state as another process would."""
    with ExitStack() as opened:

        def make() -> EmulatorState:
            state = opening.open_emulator_state(url, limited())
            opened.callback(state.close)
            state.prepare()
            return state

        yield make


@pytest.fixture
def state(make_state: MakeState) -> EmulatorState:
    return make_state()


def test_state_is_empty_at_first(state: EmulatorState) -> None:
    assert state.control()[1:] == ({}, ())
    assert state.requests() == []


def test_preparing_again_keeps_the_state(state: EmulatorState, make_state: MakeState) -> None:
    state.change_clock(lambda found: {"offset_seconds": 5})

    assert make_state().control().clock == {"offset_seconds": 5}


def test_user_who_may_not_create_tables_has_a_known_fault(postgres_url: str) -> None:
    drop_tables(postgres_url)
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP ROLE IF EXISTS may_not_create"))
        connection.execute(sa.text("CREATE ROLE may_not_create LOGIN"))
    engine.dispose()
    url = sa.make_url(postgres_url).set(username="may_not_create")

    with pytest.raises(Unavailable, match="The database role lacks a permission"):
        opening.prepare_emulator(url.render_as_string(hide_password=False))


def test_state_of_an_sqlite_file_is_in_a_file_beside_it_that_others_cannot_read(
    database_url: str, tmp_path: Path
) -> None:
    state = opening.open_emulator_state(database_url, limited())
    state.prepare()
    state.close()

    assert (tmp_path / "xcom.db-emulator").stat().st_mode & 0o777 == 0o600


def test_changes_are_seen_by_other_processes(make_state: MakeState) -> None:
    one, two = make_state(), make_state()
    assert two.control().faults == ()

    fault = one.add_fault(FAULT)
    one.change_clock(lambda found: {"offset_seconds": 5})

    assert two.control()[1:] == ({"offset_seconds": 5}, (fault,))
    assert one.remove_fault(fault.number) is True
    assert one.remove_fault(fault.number) is False
    assert two.control().faults == ()


def test_version_increases_with_every_change(state: EmulatorState) -> None:
    versions = [state.control().version]
    for change in (
        lambda: state.change_clock(lambda found: {}),
        lambda: state.add_fault(FAULT),
        state.remove_faults,
        state.reset,
    ):
        change()
        versions.append(state.control().version)

    assert versions == sorted(set(versions))


def test_change_of_the_clock_that_fails_changes_nothing(state: EmulatorState) -> None:
    state.change_clock(lambda found: {"offset_seconds": 5})
    before = state.control()

    with pytest.raises(ZeroDivisionError):
        state.change_clock(lambda found: {"offset_seconds": 1 // 0})

    assert state.control() == before


def test_concurrent_changes_of_the_clock_are_all_made(make_state: MakeState) -> None:
    states = [make_state() for _ in range(4)]

    def advance(state: EmulatorState) -> None:
        for _ in range(5):
            state.change_clock(lambda found: {"offset_seconds": found.get("offset_seconds", 0) + 1})

    with ThreadPoolExecutor(4) as pool:
        [*pool.map(advance, states)]

    assert states[0].control().clock == {"offset_seconds": 20}


def test_fault_is_applied_as_often_as_was_said_by_all_processes_together(
    make_state: MakeState,
) -> None:
    states = [make_state() for _ in range(4)]
    fault = states[0].add_fault(FAULT, times=5)

    with ThreadPoolExecutor(4) as pool:
        applied = [*pool.map(lambda n: states[n % 4].apply_fault(fault.number), range(40))]

    assert applied.count(True) == 5
    assert states[3].applied_faults() == {fault.number: 5}


def test_fault_without_a_number_of_times_is_always_applied(state: EmulatorState) -> None:
    fault = state.add_fault(FAULT)

    assert [state.apply_fault(fault.number) for _ in range(3)] == [True] * 3
    assert state.apply_fault(fault.number + 1) is False
    assert state.control().faults == (StoredFault(fault.number, FAULT, 3),)


def test_journal_has_the_newest_requests_in_order(
    state: EmulatorState, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_REQUESTS == 1000
    monkeypatch.setattr(emulator, "MAX_REQUESTS", 10)
    monkeypatch.setattr(emulator, "_TRIM_EVERY", 4)
    for number in range(25):
        state.record({"n": number})

    found = state.requests()

    assert [record["n"] for _, record in found] == [*range(15, 25)]
    middle = found[4][0]
    assert [record["n"] for _, record in state.requests(after=middle)] == [*range(20, 25)]
    state.clear_requests()
    assert state.requests() == []


def test_oldest_requests_are_removed_from_the_table(
    state: EmulatorState, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "MAX_REQUESTS", 10)
    monkeypatch.setattr(emulator, "_TRIM_EVERY", 4)
    for number in range(30):
        state.record({"n": number})

    backend = state._backend  # type: ignore[attr-defined]
    with backend.engine.connect() as connection:
        count = connection.execute(sa.text("SELECT count(*) FROM emulator_request")).scalar()

    assert count < 10 + 4


def test_reset_removes_everything(state: EmulatorState) -> None:
    state.add_fault(FAULT)
    state.change_clock(lambda found: {"offset_seconds": 5})
    state.record({"n": 1})

    state.reset()

    assert state.control()[1:] == ({}, ())
    assert state.requests() == []


def test_tables_of_the_state_are_no_difference_of_the_schema(
    state: EmulatorState, url: str
) -> None:
    backend = opening.open_backend(url)
    schema.upgrade(backend)

    assert schema.differences(backend) == []
    backend.close()
