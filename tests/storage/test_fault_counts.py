"""How often faults are applied and matched, by several workers at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from xcom_server.storage import opening
from xcom_server.storage.emulator import EmulatorState

from tests.support.stores import limited

FAULT = {"match": {}, "effect": {"type": "reset"}}


@pytest.fixture(params=["sqlite", "postgresql"])
def workers(request: pytest.FixtureRequest, database_url: str) -> Iterator[list[EmulatorState]]:
    """Yield the states of four workers."""
    if request.param == "postgresql":
        database_url = request.getfixturevalue("postgres_url")
    with ExitStack() as opened:
        states = [opening.open_emulator_state(database_url, limited()) for _ in range(4)]
        for state in states:
            opened.callback(state.close)
            state.prepare()
        states[0].reset()
        yield states


def test_each_request_that_matches_has_another_position(workers: list[EmulatorState]) -> None:
    number = workers[0].add_fault(FAULT).number

    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda n: workers[n % 4].match_fault(number), range(40))]

    assert sorted(found) == [*range(40)]
    assert workers[0].applied_faults() == {number: 0}
    assert workers[0].match_fault(number + 1) == 0


def test_workers_read_when_a_fault_is_spent(workers: list[EmulatorState]) -> None:
    number = workers[0].add_fault(FAULT, times=2).number
    assert workers[1].control().faults[0].applied == 0

    assert workers[0].apply_fault(number)
    assert workers[1].control().faults[0].applied == 0, "the version changed too early"
    assert workers[0].apply_fault(number)

    assert workers[1].control().faults[0].applied == 2


def test_fault_without_effect_can_be_applied_once_more(workers: list[EmulatorState]) -> None:
    number = workers[0].add_fault(FAULT, times=1).number
    assert workers[0].apply_fault(number)
    assert not workers[1].apply_fault(number)

    workers[0].release_fault(number)

    assert workers[1].control().faults[0].applied == 0
    assert workers[1].apply_fault(number)
    workers[0].release_fault(number + 1)
