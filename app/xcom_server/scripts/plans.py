"""The plan of a run: its states, the end of each of its task instances, and their entries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xcom_server import task_graph
from xcom_server.scripts.trigger_rules import DEFAULT_RULE, resulting_state
from xcom_server.states import FINISHED
from xcom_server.task_graph import Task

DEFAULT_STATES = ("queued", "running", "success")
END_STATES = ("success", "failed", "skipped", "upstream_failed")


@dataclass(frozen=True)
class InstancePlan:
    """What a task instance does: the state in which it ends, its entries and its log."""

    state: str
    entries: Mapping[str, Any] = field(default_factory=dict)
    log: str | None = None

    @property
    def runs(self) -> bool:
        """Whether the task instance runs, which one that is skipped does not."""
        return self.state in FINISHED


@dataclass(frozen=True)
class Plan:
    """What one run does.

    `states` are the states of the run, one for each step. `seconds` is the duration of each state
    except the last one, None if each read of the run takes a step. `instances` are the task
    instances by task id and map index, and `levels` the level of each task.
    """

    states: tuple[str, ...]
    seconds: tuple[float, ...] | None
    instances: Mapping[tuple[str, int], InstancePlan]
    levels: Mapping[str, int]

    @property
    def last_step(self) -> int:
        """The number of the last step."""
        return len(self.states) - 1

    def has_started(self, step: int, task_id: str) -> bool:
        """Return whether a task has started at a step of the run."""
        return self._is_finished(step) or self.levels[task_id] <= self._level(step)

    def has_ended(self, step: int, task_id: str) -> bool:
        """Return whether a task has ended at a step of the run."""
        return self._is_finished(step) or self.levels[task_id] < self._level(step)

    def _is_finished(self, step: int) -> bool:
        return self.states[step] in FINISHED

    def _level(self, step: int) -> int:
        """Return the level of the tasks that run at a step, -1 for a queued run.

        The levels are spread over the steps at which the run is running.
        """
        if self.states[step] != "running":
            return -1
        first, count = self.states.index("running"), self.states.count("running")
        return (step - first) * (max(self.levels.values(), default=0) + 1) // count


def plan(script: Any, tasks: Sequence[Task], number: int) -> Plan:
    """Return the plan of the DAG's run with this number, which counts from 1.

    `script` is the valid script of the DAG, a list of scripts for its first runs, or None. The
    last script of a list is for all further runs. A run that was not triggered has the number 0;
    when it is cleared, it does what the first run does.
    """
    if isinstance(script, list):
        script = script[min(max(number, 1), len(script)) - 1]
    script = script or {}
    instances = _instances(script.get("tasks", {}), tasks)
    states = tuple(script.get("states") or _default_states(instances, tasks))
    return Plan(states, _seconds(script, states), instances, task_graph.levels(tasks))


def _seconds(script: Mapping[str, Any], states: Sequence[str]) -> tuple[float, ...] | None:
    advance = script.get("advance", "read")
    if advance == "read":
        return None
    seconds = advance["seconds"]
    return tuple(seconds) if isinstance(seconds, list) else (seconds,) * (len(states) - 1)


def _instances(
    scripted: Mapping[str, Any], tasks: Sequence[Task]
) -> dict[tuple[str, int], InstancePlan]:
    """Return the plans of all task instances, in the order of the tasks."""
    by_id = {task["task_id"]: task for task in tasks}
    found: dict[tuple[str, int], InstancePlan] = {}
    ends: dict[str, set[str]] = {}  # the end states of the instances of each task
    for task_id, before in task_graph.upstream(tasks).items():
        task = by_id[task_id]
        states: set[str] = set().union(*(ends[each] for each in before))
        default = resulting_state(task.get("trigger_rule", DEFAULT_RULE), states)
        rows = dict(_rows(scripted.get(task_id, {}), task))
        ends[task_id] = {row.get("state", default) for row in rows.values()}
        for map_index, row in rows.items():
            state, entries = row.get("state", default), row.get("entries", {})
            found[task_id, map_index] = InstancePlan(state, entries, row.get("log"))
    numbers = {task_id: number for number, task_id in enumerate(by_id)}
    return {key: found[key] for key in sorted(found, key=lambda key: (numbers[key[0]], key[1]))}


def _rows(scripted: Mapping[str, Any], task: Task) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """Yield the map index and the script of each instance of a task."""
    if "mapped" in scripted:
        for map_index, row in enumerate(scripted["mapped"]):
            yield map_index, {**scripted, **row}
    else:
        for map_index in task_graph.map_indexes(task):
            yield map_index, scripted


def _default_states(
    instances: Mapping[tuple[str, int], InstancePlan], tasks: Sequence[Task]
) -> tuple[str, ...]:
    """Return the states of a run that lists none: it fails if a task without followers does."""
    followers = task_graph.downstream(tasks)
    ends = {each.state for (task_id, _), each in instances.items() if not followers[task_id]}
    has_failed = not ends.isdisjoint({"failed", "upstream_failed"})
    return (*DEFAULT_STATES[:2], "failed") if has_failed else DEFAULT_STATES
