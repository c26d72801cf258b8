"""The plan of a run: its states, and the end of each task instance."""

from typing import Any

import pytest
from xcom_server.scripts.plans import InstancePlan, Plan, plan
from xcom_server.task_graph import Task

CHAIN: list[Task] = [
    {"task_id": "extract"},
    {"task_id": "transform", "upstream": ["extract"]},
    {"task_id": "load", "upstream": ["transform"]},
]


def ends(found: Plan) -> dict[str, str]:
    """Return the end states by task, and by map index if there is one."""
    return {
        task_id if index < 0 else f"{task_id}[{index}]": each.state
        for (task_id, index), each in found.instances.items()
    }


def test_run_without_a_script_succeeds_with_all_its_tasks() -> None:
    found = plan(None, CHAIN, 1)

    assert (found.states, found.seconds) == (("queued", "running", "success"), None)
    assert ends(found) == {"extract": "success", "transform": "success", "load": "success"}
    assert plan(None, [], 1).states == ("queued", "running", "success")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"extract": "failed"}, ["failed", "upstream_failed", "upstream_failed", "failed"]),
        ({"transform": "failed"}, ["success", "failed", "upstream_failed", "failed"]),
        ({"extract": "skipped"}, ["skipped", "skipped", "skipped", "success"]),
        ({"transform": "failed", "load": "success"}, ["success", "failed", "success", "success"]),
    ],
)
def test_end_of_a_task_follows_from_those_before_it(
    given: dict[str, str], expected: list[str]
) -> None:
    script = {"tasks": {task_id: {"state": state} for task_id, state in given.items()}}

    found = plan(script, CHAIN, 1)

    assert [*ends(found).values(), found.states[-1]] == expected


def test_run_fails_only_if_a_task_without_followers_does() -> None:
    tasks = [*CHAIN, {"task_id": "clean", "upstream": ["load"], "trigger_rule": "all_done"}]

    assert plan({"tasks": {"load": {"state": "failed"}}}, tasks, 1).states[-1] == "success"
    assert plan({"tasks": {"clean": {"state": "failed"}}}, tasks, 1).states[-1] == "failed"
    listed = {"states": ["success"], "tasks": {"clean": {"state": "failed"}}}
    assert plan(listed, tasks, 1).states == ("success",)


def test_mapped_task_has_an_instance_for_each_index() -> None:
    tasks: list[Task] = [
        {"task_id": "split", "mapped": 3},
        {"task_id": "join", "upstream": ["split"]},
    ]
    rows = [{"entries": {"k": 0}}, {"state": "failed", "log": "disk full"}, {}]
    script = {"tasks": {"split": {"entries": {"k": "x"}, "mapped": rows}}}

    found = plan(script, tasks, 1)

    assert ends(found) == {
        "split[0]": "success",
        "split[1]": "failed",
        "split[2]": "success",
        "join": "upstream_failed",
    }
    assert found.instances["split", 0] == InstancePlan("success", {"k": 0})
    assert found.instances["split", 1] == InstancePlan("failed", {"k": "x"}, "disk full")
    assert found.states[-1] == "failed"
    assert [*ends(plan(None, tasks, 1))] == ["split[0]", "split[1]", "split[2]", "join"]
    assert [*ends(plan(None, [{"task_id": "a", "is_mapped": True}], 1))] == ["a"]


@pytest.mark.parametrize(
    ("number", "last"), [(0, "failed"), (1, "failed"), (2, "running"), (3, "queued"), (9, "queued")]
)
def test_number_of_a_run_selects_its_script(number: int, last: str) -> None:
    scripts = [{"states": [last]} for last in ("failed", "running", "queued")]

    assert plan(scripts, CHAIN, number).states == (last,)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        # The state of each task at each step: . is not started, r is running, e has ended.
        (["queued", "running", "success"], ["...", "r..", "eee"]),
        (["running", "running", "running", "failed"], ["r..", "er.", "eer", "eee"]),
        (["queued", "running", "running", "success"], ["...", "r..", "er.", "eee"]),
        (["running"] * 5, ["r..", "r..", "er.", "er.", "eer"]),
        (["success"], ["eee"]),
        (["queued", "failed"], ["...", "eee"]),
    ],
)
def test_levels_of_tasks_are_spread_over_the_running_steps(
    states: list[str], expected: list[str]
) -> None:
    found = plan({"states": states}, CHAIN, 1)

    def letter(step: int, task_id: str) -> str:
        ended, started = found.has_ended(step, task_id), found.has_started(step, task_id)
        return "e" if ended else "r" if started else "."

    shown = [
        "".join(letter(step, task["task_id"]) for task in CHAIN) for step in range(len(states))
    ]
    assert shown == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1.5, (1.5, 1.5)), ([0, 60], (0, 60)), (0, (0, 0))]
)
def test_durations_of_the_states(seconds: Any, expected: tuple[float, ...]) -> None:
    assert plan({"advance": {"seconds": seconds}}, CHAIN, 1).seconds == expected
    assert plan({"advance": "read"}, CHAIN, 1).seconds is None
