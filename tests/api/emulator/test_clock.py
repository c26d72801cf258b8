"""The clock of the control plane: timestamps, scripts and tokens follow it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server import clock
from xcom_server.emulator import shifts

from tests.support import v1_calls, v2_calls
from tests.support.access import token
from tests.support.emulator import ADVANCE, CLOCK, NEW_YEAR, RESET, SEED, advance, freeze, problem

SCRIPT = {"states": ["queued", "running", "success"], "advance": {"seconds": [10, 600]}}


def shown(client: FlaskClient) -> datetime:
    return datetime.fromisoformat(client.get(CLOCK).get_json()["now"])


def test_clock_is_that_of_the_machine_by_default(client: FlaskClient) -> None:
    before = datetime.now(UTC)
    answer = client.get(CLOCK).get_json()

    assert before <= datetime.fromisoformat(answer.pop("now")) <= datetime.now(UTC)
    assert answer == {"is_frozen": False, "offset_seconds": 0}


def test_frozen_clock_is_moved_forward(client: FlaskClient) -> None:
    freeze(client)
    answer = client.post(f"{CLOCK}/advance", json={"seconds": 1.5})

    assert answer.get_json() == client.get(CLOCK).get_json()
    assert answer.get_json() == {
        "now": "2026-01-01T00:00:01.500000Z",
        "is_frozen": True,
        "offset_seconds": None,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"freeze": NEW_YEAR, "offset_seconds": -60}, "2025-12-31T23:59:00Z"),
        ({"freeze": "2026-01-01T01:00:00+01:00"}, NEW_YEAR),
        ({"freeze": True}, NEW_YEAR),
        ({"freeze": True, "offset_seconds": 86400}, "2026-01-02T00:00:00Z"),
    ],
)
def test_clock_is_frozen_at(client: FlaskClient, body: dict[str, Any], expected: str) -> None:
    freeze(client)

    assert client.put(CLOCK, json=body).get_json()["now"] == expected


def test_running_clock_has_an_offset(client: FlaskClient) -> None:
    client.put(CLOCK, json={"offset_seconds": 3600})
    advance(client, 60)
    answer = client.get(CLOCK).get_json()

    assert (answer["is_frozen"], answer["offset_seconds"]) == (False, 3660)
    assert 3600 < (shown(client) - datetime.now(UTC)).total_seconds() <= 3660


def test_offset_of_a_clock_that_runs_again_is_that_from_the_machine(client: FlaskClient) -> None:
    freeze(client)
    answer = client.put(CLOCK, json={"freeze": False, "offset_seconds": 60}).get_json()

    assert (answer["is_frozen"], answer["offset_seconds"]) == (False, 60)


def test_clock_runs_on_from_the_time_at_which_it_was_frozen(client: FlaskClient) -> None:
    freeze(client)
    freeze(client, at=False)

    first, second = shown(client), shown(client)
    assert datetime(2026, 1, 1, tzinfo=UTC) < first < second < datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("undo", [lambda c: c.delete(CLOCK), lambda c: c.post(RESET)])
def test_time_of_the_machine_is_used_again(
    client: FlaskClient, undo: Callable[[FlaskClient], Any]
) -> None:
    freeze(client)
    assert undo(client).status_code == 204

    assert abs((shown(client) - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "{} has less than 1 property"),
        ({"frozen": True}, "Additional properties are not allowed ('frozen' was unexpected)"),
        ({"freeze": "now"}, "freeze: Must be true to stop the clock at the time that it shows,"),
        ({"freeze": 1}, "freeze: Must be true to stop the clock"),
        ({"freeze": "2026-01-01T00:00:00"}, "freeze: Must be true to stop the clock"),
        ({"offset_seconds": "1"}, 'offset_seconds: "1" is not of type "number"'),
        ({"freeze": "0001-01-01T00:00:00Z"}, "The clock must be in the years 1970 to 9000."),
        ({"freeze": "9999-12-31T23:59:59-01:00"}, "freeze: Must be true"),
        ({"offset_seconds": -(10**10)}, "The clock must be in the years 1970 to 9000."),
        ({"offset_seconds": 10**300}, "The clock must be in the years 1970 to 9000."),
        ([], '[] is not of type "object"'),
    ],
)
def test_invalid_clock_is_refused(client: FlaskClient, body: Any, words: str) -> None:
    freeze(client)

    assert problem(client.put(CLOCK, json=body), 400).startswith(words)
    assert client.get(CLOCK).get_json()["now"] == NEW_YEAR


@pytest.mark.parametrize("seconds", [-1, "1", None, 10**12])
def test_clock_is_only_moved_forward(client: FlaskClient, seconds: object) -> None:
    freeze(client)

    problem(client.post(f"{CLOCK}/advance", json={"seconds": seconds}), 400)
    assert client.get(CLOCK).get_json()["now"] == NEW_YEAR


@pytest.mark.parametrize("calls", [v1_calls, v2_calls], ids=["v1", "v2"])
def test_timestamps_of_entries_follow(client: FlaskClient, calls: Any) -> None:
    freeze(client)
    calls.create(client)
    created = client.get(calls.entry("k")).get_json()["timestamp"]
    advance(client, 60)
    client.patch(v2_calls.entry("k"), json={"value": 2})
    changed = client.get(calls.entry("k")).get_json()["timestamp"]

    assert datetime.fromisoformat(created) == datetime(2026, 1, 1, tzinfo=UTC)
    assert datetime.fromisoformat(changed) == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def test_steps_of_a_script_follow(client: FlaskClient) -> None:
    freeze(client)
    client.post(SEED, json={"dags": [{"dag_id": "etl", "script": SCRIPT}]})
    client.post(v1_calls.runs(), json={"dag_run_id": "r"})

    def state() -> Any:
        return client.get(v1_calls.run("r")).get_json()["state"]

    states = [state()]
    for seconds in (9.9, 0.1, 599, 1):
        advance(client, seconds)
        states.append(state())

    assert states == ["queued", "queued", "running", "running", "success"]
    run = client.get(v1_calls.run("r")).get_json()
    assert (run["start_date"], run["end_date"]) == (
        "2026-01-01T00:00:10+00:00",
        "2026-01-01T00:10:10+00:00",
    )


def test_runs_without_an_id_have_the_same_one_while_the_clock_stands_still(
    client: FlaskClient,
) -> None:
    freeze(client)
    first = client.post(v1_calls.runs(), json={})
    second = client.post(v1_calls.runs(), json={})
    advance(client, 1)
    third = client.post(v1_calls.runs(), json={})

    assert first.get_json()["dag_run_id"] == "manual__2026-01-01T00:00:00+00:00"
    assert (second.status_code, third.status_code) == (409, 200)


def test_wait_sees_a_clock_that_is_moved_while_it_waits(client: FlaskClient) -> None:
    freeze(client)
    client.post(SEED, json={"dags": [{"dag_id": "etl", "script": SCRIPT}]})
    client.post(v2_calls.runs(), json={"logical_date": None, "dag_run_id": "r"})
    lines = client.get(f"{v2_calls.run('r')}/wait?interval=0.01").iter_encoded()
    seen = [next(lines)]

    def other_client() -> None:
        advance(client.application.test_client(), 610)

    other = threading.Thread(target=other_client)
    other.start()
    other.join()
    seen += [line for line in lines if line not in seen]

    assert seen == [b'{"state": "queued"}\n', b'{"state": "success"}\n']


def test_tokens_expire_by_the_clock(
    make_client: Callable[..., FlaskClient], users_file: Path, request: pytest.FixtureRequest
) -> None:
    client = make_client(
        emulator=True, auth="users", users_file=str(users_file), token_lifetime_seconds=3600
    )
    request.addfinalizer(lambda: clock.follow(None))
    freeze(client)
    bearer = {"Authorization": f"Bearer {token(client, 'viewer')}"}

    def status() -> int:
        return client.get(v2_calls.entries(), headers=bearer).status_code

    advance(client, 3599)
    assert status() == 200
    advance(client, 1)
    assert status() == 401
    client.put(CLOCK, json={"freeze": NEW_YEAR})
    assert status() == 200


def test_health_has_a_heartbeat_by_the_clock(client: FlaskClient) -> None:
    freeze(client)
    health = client.get("/api/v1/health").get_json()

    assert health["scheduler"]["latest_scheduler_heartbeat"] == "2026-01-01T00:00:00+00:00"


def test_clock_is_that_of_the_thread(client: FlaskClient) -> None:
    """A request with an older clock does not change that of another request."""
    clock.follow(lambda: datetime(2026, 1, 1, tzinfo=UTC))
    seen: list[datetime] = []
    thread = threading.Thread(target=lambda: seen.append(clock.now()))
    thread.start()
    thread.join()

    assert clock.now().year == 2026
    assert abs((seen[0] - datetime.now(UTC)).total_seconds()) < 60


def test_ids_have_the_time_of_the_machine_and_stay_in_order(client: FlaskClient) -> None:
    first = clock.new_id()
    clock.follow(lambda: datetime(2020, 1, 1, tzinfo=UTC))

    assert clock.new_id() > first


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({}, ""),
        ({"frozen_at": NEW_YEAR}, f"the clock stands still at {NEW_YEAR}"),
        ({"offset_seconds": 60}, "the clock is 60 s ahead"),
        ({"offset_seconds": -0.5}, "the clock is 0.5 s behind"),
    ],
)
def test_clock_in_words(definition: dict[str, Any], words: str) -> None:
    assert shifts.in_words(definition) == words


def test_clock_is_not_advanced_by_a_number_that_is_no_float(client: FlaskClient) -> None:
    client.put(CLOCK, json={"offset_seconds": 0.5})

    detail = problem(client.post(ADVANCE, json={"seconds": 10**400}), 400)
    assert detail == "The clock must be in the years 1970 to 9000."
