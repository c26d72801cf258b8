"""Scripts of triggered runs: states, task instances, entries and logs, on every database."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from xcom_server import clock, seed_file
from xcom_server.errors import RunExists
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Comparison, Filter, Order
from xcom_server.storage.runs import DagRun, NewRun
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskKey
from xcom_server.task_graph import Task

from tests.support.stores import MakeStore

START = datetime(2024, 1, 1, tzinfo=UTC)
CHAIN: list[Task] = [
    {"task_id": "extract"},
    {"task_id": "transform", "upstream": ["extract"]},
    {"task_id": "load", "upstream": ["transform"], "retries": 2},
]
THREADS = 8


@pytest.fixture
def store(make_store: MakeStore) -> XComStore:
    return make_store()


@pytest.fixture
def set_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets the clock to a number of seconds after the start."""

    def set_(seconds: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: START + timedelta(seconds=seconds))

    set_(0)
    return set_


def define(store: XComStore, script: Any, tasks: Any = None, **fields: Any) -> None:
    dag = {"dag_id": "etl", "script": script, **fields}
    store.load(seed_file.read(json.dumps({"dags": [dag | ({"tasks": tasks} if tasks else {})]})))


def trigger(store: XComStore, run_id: str = "r", conf: Any = None) -> DagRun:
    run = NewRun(
        dag_id="etl",
        run_id=run_id,
        logical_date=None,
        run_after=START,
        data_interval_start=None,
        data_interval_end=None,
        conf=json.dumps(conf or {}),
    )
    return store.runs.trigger(run)


def states(store: XComStore, run_id: str = "r") -> dict[str, str | None]:
    """Return the states of the task instances by task and map index."""
    page = store.task_instances.list(Filter.of("etl", run_id), limit=99)
    return {
        each.task_id if each.map_index < 0 else f"{each.task_id}[{each.map_index}]": each.state
        for each in page.entries
    }


def reads(store: XComStore, count: int, run_id: str = "r") -> list[str]:
    return [store.runs.get("etl", run_id).state for _ in range(count)]


def value(store: XComStore, task_id: str, key: str, run_id: str = "r", index: int = -1) -> Any:
    return json.loads(store.get(XComKey("etl", run_id, task_id, index, key)).value)


def keys(store: XComStore, run_id: str = "r") -> list[tuple[str, int, str]]:
    page = store.list(Filter.of("etl", run_id), limit=99)
    return [(each.task_id, each.map_index, each.key) for each in page.entries]


def test_levels_of_tasks_run_one_after_another(store: XComStore) -> None:
    define(store, {"states": ["queued", "running", "running", "running", "success"]}, CHAIN)
    trigger(store)

    seen = []
    for _ in range(6):
        seen.append((*states(store).values(), store.runs.get("etl", "r").state))

    assert seen == [
        (None, None, None, "queued"),
        ("running", None, None, "running"),
        ("success", "running", None, "running"),
        ("success", "success", "running", "running"),
        ("success", "success", "success", "success"),
        ("success", "success", "success", "success"),
    ]


def test_failed_task_keeps_later_tasks_from_running(store: XComStore) -> None:
    tasks = {
        "extract": {"entries": {"k": 1}},
        "transform": {"state": "failed", "entries": {"k": 2}, "log": "disk full"},
        "load": {"entries": {"k": 3}},
    }
    define(store, {"tasks": tasks}, CHAIN)
    trigger(store)

    assert reads(store, 4) == ["queued", "running", "failed", "failed"]
    assert states(store) == {
        "extract": "success",
        "transform": "failed",
        "load": "upstream_failed",
    }
    assert keys(store) == [("extract", -1, "k"), ("transform", -1, "k")]
    load = store.task_instances.get(TaskKey("etl", "r", "load"))
    transform = store.task_instances.get(TaskKey("etl", "r", "transform"))
    assert (load.try_number, load.hostname, load.duration, load.max_tries) == (0, "", 0, 2)
    assert (transform.try_number, transform.hostname) == (1, "xcom-server")
    assert store.task_instances.log(TaskKey("etl", "r", "transform"), 1) == "disk full"
    assert store.task_instances.log(TaskKey("etl", "r", "extract"), 1) is None


def test_task_that_does_not_run_is_never_running(store: XComStore) -> None:
    failed = {"extract": {"state": "failed"}}
    define(store, {"states": ["running", "running", "failed"], "tasks": failed}, CHAIN[:2])
    trigger(store)

    seen = []
    for _ in range(3):
        tasks = states(store).values()  # takes the step to the first state, which is due
        seen.append((store.runs.peek("etl", "r").state, *tasks))
        store.runs.get("etl", "r")

    assert seen == [
        ("running", "running", None),
        ("running", "failed", "upstream_failed"),
        ("failed", "failed", "upstream_failed"),
    ]


def test_mapped_task_has_results_by_index(store: XComStore) -> None:
    rows = [
        {"entries": {"return_value": 10}},
        {"entries": {"return_value": {"$conf": "n"}}, "log": "one"},
        {"state": "failed", "entries": {}},
    ]
    tasks = {"split": {"log": "all", "mapped": rows}}
    define(store, {"tasks": tasks}, [{"task_id": "split", "mapped": 3}])
    trigger(store, conf={"n": 20})

    assert reads(store, 3) == ["queued", "running", "failed"]
    assert states(store) == {"split[0]": "success", "split[1]": "success", "split[2]": "failed"}
    assert [value(store, "split", "return_value", index=index) for index in (0, 1)] == [10, 20]
    assert len(keys(store)) == 2
    logs = [store.task_instances.log(TaskKey("etl", "r", "split", each), 1) for each in range(3)]
    assert logs == ["all", "one", "all"]
    listed = store.task_instances.list(Filter.of("etl", "r"), limit=9).entries
    assert [each.rendered_map_index for each in listed] == ["0", "1", "2"]


def test_entries_take_parts_of_the_conf(store: XComStore) -> None:
    entries = {
        "return_value": {"rows": 5, "table": {"$conf": "table"}, "day": {"$conf": "range.from"}},
        "who": {"$conf": "user", "default": "nobody"},
    }
    define(store, {"tasks": {"extract": {"entries": entries}}}, CHAIN)
    trigger(store, conf={"table": "orders", "range": {"from": "2024-01-01"}})
    trigger(store, "s", conf={"user": "ann"})
    for run_id in ("r", "s"):
        reads(store, 2, run_id)

    expected = {"rows": 5, "table": "orders", "day": "2024-01-01"}
    assert value(store, "extract", "return_value") == expected
    assert value(store, "extract", "who") == "nobody"
    assert value(store, "extract", "return_value", "s") == {"rows": 5, "table": None, "day": None}
    assert value(store, "extract", "who", "s") == "ann"


def test_entries_appear_when_the_task_ends(store: XComStore) -> None:
    define(store, {"tasks": {"extract": {"entries": {"k": 1}}}}, CHAIN)
    trigger(store)

    counts = []
    for _ in range(3):
        counts.append(len(keys(store)))
        store.runs.get("etl", "r")

    assert counts == [0, 0, 1]


def test_nth_run_has_the_nth_script(store: XComStore) -> None:
    scripts = [{"states": ["queued", "failed"]}, {}, {"states": ["running"]}]
    define(store, scripts, CHAIN)
    for run_id in "abcd":
        trigger(store, run_id)

    assert {run_id: reads(store, 4, run_id) for run_id in "abcd"} == {
        "a": ["queued", "failed", "failed", "failed"],
        "b": ["queued", "running", "success", "success"],
        "c": ["running"] * 4,
        "d": ["running"] * 4,
    }
    store.runs.clear("etl", "a", restarting=True)
    assert reads(store, 3, "a") == ["queued", "failed", "failed"]


def test_only_deleting_the_dag_restarts_the_count_of_runs(store: XComStore) -> None:
    script = [{"states": ["failed"]}, {"states": ["success"]}]

    def ends() -> str:
        trigger(store)
        return reads(store, 2)[-1]

    define(store, script)
    first = ends()
    store.runs.delete("etl", "r", even_if_running=True)
    define(store, script)
    second = ends()
    store.dags.delete("etl")
    define(store, script)

    assert (first, second, ends()) == ("failed", "success", "failed")


def test_state_of_a_run_does_not_change_those_of_its_tasks(store: XComStore) -> None:
    define(store, {"states": ["queued", "failed"]}, [{"task_id": "a"}])
    trigger(store)

    assert reads(store, 2) == ["queued", "failed"]
    assert states(store) == {"a": "success"}


def test_refused_trigger_does_not_use_up_a_script(store: XComStore) -> None:
    define(store, [{}, {"states": ["running"]}], CHAIN)
    trigger(store)
    with pytest.raises(RunExists):
        trigger(store)
    trigger(store, "s")

    assert reads(store, 1, "s") == ["running"]


@pytest.mark.parametrize("advance", ["read", {"seconds": 0}])
def test_run_is_triggered_as_queued_whatever_its_script(store: XComStore, advance: Any) -> None:
    define(store, {"states": ["success"], "advance": advance}, CHAIN)

    assert trigger(store).state == "queued"
    assert reads(store, 2) == ["success", "success"]
    assert set(states(store).values()) == {"success"}
    run = store.runs.clear("etl", "r", restarting=False)
    assert run.state == "queued"
    assert reads(store, 2) == ["success", "success"]


def test_script_that_starts_with_another_state_is_due_at_once(store: XComStore) -> None:
    define(store, {"states": ["running", "success"]}, CHAIN)
    trigger(store)

    is_running = ((Comparison("state", "eq", "running"),),)
    page = store.runs.list(Filter.of("etl", conditions=(is_running,)), limit=9)

    assert [run.state for run in page.entries] == ["running"]
    assert reads(store, 2) == ["success", "success"]


def test_script_names_the_tasks_of_a_dag_that_lists_none(store: XComStore) -> None:
    tasks = {"extract": {"entries": {"k": 1}}, "split": {"mapped": [{}, {"state": "failed"}]}}
    define(store, {"tasks": tasks})
    trigger(store)
    reads(store, 3)

    assert states(store) == {"extract": "success", "split[0]": "success", "split[1]": "failed"}
    assert value(store, "extract", "k") == 1


def test_run_without_tasks_goes_through_its_states(store: XComStore) -> None:
    define(store, {})
    trigger(store)

    assert reads(store, 3) == ["queued", "running", "success"]
    assert states(store) == {}


def test_steps_by_time_have_the_times_at_which_they_were_due(
    store: XComStore, set_time: Callable[[float], None]
) -> None:
    script = {
        "states": ["queued", "running", "running", "success"],
        "advance": {"seconds": [5, 10, 2.5]},
        "tasks": {"extract": {"entries": {"k": 1}}},
    }
    define(store, script, CHAIN[:2])
    trigger(store)

    assert reads(store, 3) == ["queued"] * 3
    set_time(4.999)
    assert reads(store, 2) == ["queued"] * 2
    set_time(5)
    assert reads(store, 2) == ["running"] * 2
    set_time(60)
    run = store.runs.get("etl", "r")

    assert (run.state, run.step, run.step_at) == ("success", None, None)
    assert run.start_date == START + timedelta(seconds=5)
    assert run.end_date == START + timedelta(seconds=17.5)
    assert run.duration == 12.5
    extract, transform = store.task_instances.list(Filter.of("etl", "r"), limit=9).entries
    assert [each.start_date for each in (extract, transform)] == [
        START + timedelta(seconds=5),
        START + timedelta(seconds=15),
    ]
    assert (extract.duration, transform.duration) == (10, 2.5)
    entry = store.get(XComKey("etl", "r", "extract", -1, "k"))
    assert entry.timestamp == START + timedelta(seconds=15)


@pytest.mark.parametrize(
    "look",
    [
        lambda store: states(store)["extract"],
        lambda store: store.task_instances.get(TaskKey("etl", "r", "extract")).state,
        lambda store: store.runs.list(Filter.of("etl"), limit=9).entries[0].state,
        lambda store: store.runs.get("etl", "r").state,
    ],
    ids=["list of task instances", "task instance", "list of runs", "run"],
)
def test_every_read_sees_the_steps_that_were_due(
    store: XComStore, set_time: Callable[[float], None], look: Callable[[XComStore], str]
) -> None:
    define(store, {"advance": {"seconds": 1}}, CHAIN)
    trigger(store)
    set_time(9)

    assert look(store) == "success"


def test_filters_see_the_steps_that_were_due(
    store: XComStore, set_time: Callable[[float], None]
) -> None:
    define(store, {"advance": {"seconds": 1}}, CHAIN)
    for number in range(3):
        trigger(store, f"r{number}")
    is_running = Filter.of("etl", conditions=(((Comparison("state", "eq", "running"),),),))

    assert store.runs.list(is_running, limit=9).total_entries == 0
    set_time(1)
    assert store.task_instances.list(is_running, limit=9).total_entries == 3
    assert store.runs.list(is_running, limit=2).total_entries == 3
    set_time(2)
    assert store.runs.list(is_running, limit=9).total_entries == 0


def test_many_runs_that_are_due_move_at_once(
    store: XComStore, set_time: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xcom_server.storage.sql.steps.CHUNK", 2)
    define(store, {"advance": {"seconds": 1}}, CHAIN[:1])
    for number in range(5):
        trigger(store, f"r{number}")
    set_time(9)

    runs = store.runs.list(Filter.of("etl"), limit=9).entries

    assert [run.state for run in runs] == ["success"] * 5


def test_list_takes_the_step_of_each_run_on_its_page(store: XComStore) -> None:
    define(store, {}, CHAIN)
    for run_id in "abc":
        trigger(store, run_id)

    page = store.runs.list(Filter.of("etl"), limit=2)

    assert [run.state for run in page.entries] == ["queued", "queued"]
    assert [store.runs.peek("etl", run_id).state for run_id in "abc"] == [
        "running",
        "running",
        "queued",
    ]


def test_list_can_be_read_without_a_step(
    store: XComStore, set_time: Callable[[float], None]
) -> None:
    define(store, {"advance": {"seconds": 1}}, CHAIN[:1])
    for run_id in "abc":
        trigger(store, run_id)
    set_time(9)

    page = store.runs.peek_list(Filter.of("etl"), limit=1, offset=1)

    assert ([(run.run_id, run.state) for run in page.entries], page.total_entries) == (
        [("b", "queued")],
        3,
    )
    newest = store.runs.peek_list(Filter.of("etl"), limit=2, order=[Order("id", descending=True)])
    assert [run.run_id for run in newest.entries] == ["c", "b"]
    assert store.runs.peek("etl", "b").state == "queued"


def test_cleared_run_is_tried_again_and_replaces_its_entries(store: XComStore) -> None:
    scripts = {"extract": {"entries": {"k": {"$conf": "n"}}, "log": "first"}}
    define(store, {"tasks": scripts}, [{"task_id": "extract", "retries": 1}])
    trigger(store, conf={"n": 5})
    reads(store, 3)
    key = TaskKey("etl", "r", "extract")
    store.create(XComKey("etl", "r", "extract", -1, "other"), "1")

    store.runs.clear("etl", "r", restarting=True)
    after_clear = keys(store)
    cleared = store.task_instances.get(key)
    assert reads(store, 1) == ["queued"]
    while_running = keys(store)
    assert reads(store, 2) == ["running", "success"]

    again = store.task_instances.get(key)
    assert (cleared.state, cleared.try_number, cleared.max_tries) == (None, 1, 2)
    assert (again.state, again.try_number, again.max_tries) == ("success", 2, 2)
    assert after_clear == [("extract", -1, "k"), ("extract", -1, "other")]
    assert while_running == []
    assert keys(store) == [("extract", -1, "k")]
    assert [each.try_number for each in store.task_instances.tries(key)] == [1, 2]
    assert [store.task_instances.log(key, number) for number in (1, 2)] == ["first", "first"]


def test_cleared_task_of_a_running_run_runs_again(store: XComStore) -> None:
    define(store, {"states": ["queued", "running", "running", "success"]}, CHAIN[:2])
    trigger(store)
    reads(store, 2)
    keys_ = [TaskKey("etl", "r", task_id) for task_id in ("extract", "transform")]
    assert states(store) == {"extract": "success", "transform": "running"}

    store.task_instances.clear(keys_, restarting=True, reset_runs=True)
    assert states(store) == {"extract": None, "transform": "restarting"}
    assert store.runs.peek("etl", "r").state == "running"
    reads(store, 2)

    tries = [store.task_instances.get(key).try_number for key in keys_]
    assert ([*states(store).values()], tries) == (["success", "success"], [2, 2])


def test_run_that_is_set_to_queued_starts_its_script_again(store: XComStore) -> None:
    define(store, {}, CHAIN)
    trigger(store)
    reads(store, 3)

    run = store.runs.set_state("etl", "r", "queued", {})

    assert (run.state, run.start_date, run.end_date, run.duration) == ("queued", None, None, None)
    assert reads(store, 3) == ["queued", "running", "success"]
    assert store.task_instances.get(TaskKey("etl", "r", "extract")).try_number == 1


def test_state_that_a_client_sets_ends_the_script(store: XComStore) -> None:
    define(store, {"advance": {"seconds": 0}}, CHAIN)
    trigger(store)

    store.runs.set_state("etl", "r", "failed", {None: "skipped"})

    assert reads(store, 2) == ["failed", "failed"]
    assert set(states(store).values()) == {"skipped"}


def test_run_of_an_entry_follows_the_first_script_when_it_is_cleared(store: XComStore) -> None:
    define(store, [{"states": ["queued", "failed"]}, {}])
    store.create(XComKey("etl", "r", "extract", -1, "k"), "1")

    assert reads(store, 2) == ["success", "success"]
    store.runs.clear("etl", "r", restarting=True)
    assert reads(store, 2) == ["queued", "failed"]


@pytest.mark.parametrize("advance", ["read", {"seconds": 10}])
def test_runs_of_a_paused_dag_do_not_move(
    store: XComStore, set_time: Callable[[float], None], advance: Any
) -> None:
    define(store, {"advance": advance}, CHAIN)
    trigger(store)
    store.dags.set_paused("etl", True)
    set_time(60)

    assert reads(store, 3) == ["queued"] * 3
    page = store.runs.list(Filter.of("etl"), limit=9)
    assert [run.state for run in page.entries] == ["queued"]
    assert set(states(store).values()) == {None}


def test_overdue_step_is_taken_when_the_dag_is_unpaused(
    store: XComStore, set_time: Callable[[float], None]
) -> None:
    define(store, {"advance": {"seconds": 10}}, CHAIN, is_paused=True)
    trigger(store)
    set_time(60)
    store.dags.set_paused("etl", False)

    run = store.runs.get("etl", "r")
    assert (run.state, run.start_date) == ("running", START + timedelta(seconds=60))
    set_time(65)
    store.dags.set_paused("etl", None)
    assert reads(store, 1) == ["running"]
    set_time(75)
    store.dags.set_paused("etl", False)
    assert store.runs.get("etl", "r").end_date == START + timedelta(seconds=70)


def in_threads(work: Callable[[], Any]) -> list[Any]:
    """Call a function in several threads at once, and return the results."""
    barrier = threading.Barrier(THREADS)

    def wait_and_work() -> Any:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(wait_and_work) for _ in range(THREADS)]
        return [future.result() for future in futures]


def test_readers_at_once_never_see_a_run_go_back(store: XComStore) -> None:
    listed = ["queued"] * 3 + ["running"] * 6 + ["success"]
    define(store, {"states": listed, "tasks": {"load": {"entries": {"k": 1}}}}, CHAIN)
    trigger(store)

    def poll() -> list[str]:
        return reads(store, len(listed))

    order = ["queued", "running", "success"]
    for seen in in_threads(poll):
        assert seen == sorted(seen, key=order.index)
    assert states(store) == dict.fromkeys(("extract", "transform", "load"), "success")
    assert store.task_instances.get(TaskKey("etl", "r", "load")).try_number == 1
    assert len(keys(store)) == 1


def test_readers_at_once_take_a_step_once(store: XComStore) -> None:
    define(store, {"states": ["queued"] * 20 + ["success"]}, CHAIN)
    trigger(store)

    first = store.runs.peek("etl", "r")
    taken = in_threads(lambda: store.runs._take_steps([first]))  # type: ignore[attr-defined]

    assert len(taken) == THREADS
    assert store.runs.peek("etl", "r").step == 1


def test_readers_and_writers_at_once_do_not_deadlock(store: XComStore) -> None:
    define(store, {"states": ["queued"] * 30}, CHAIN)
    for run_id in "abc":
        trigger(store, run_id)
    keys_ = [TaskKey("etl", run_id, task["task_id"]) for run_id in "cba" for task in CHAIN]

    def work() -> int:
        for _ in range(5):
            store.runs.list(Filter.of("etl"), limit=9)
            store.task_instances.set_state(keys_, "success")
            store.task_instances.clear(keys_[::-1], restarting=True, reset_runs=True)
        return store.runs.list(Filter.of("etl"), limit=9).total_entries

    assert in_threads(work) == [3] * THREADS
