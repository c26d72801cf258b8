"""Scripts: what a triggered DAG run does; docs/scripts.md describes the format.

A script is part of a DAG in a seed file. Nothing is executed: the run and its task instances go
through the states that the script lists, and the entries in it appear.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xcom_server import task_graph
from xcom_server.task_graph import Task

DEFAULT_STATES = ("queued", "running", "success")
RUN_STATES = ("queued", "running", "success", "failed")  # in the order in which a run has them
END_STATES = ("success", "failed", "skipped", "upstream_failed")
FINISHED = ("success", "failed")
CONF = "$conf"  # the key of an object that stands for a part of the run's conf


@dataclass(frozen=True)
class InstancePlan:
    """What a task instance does: the state in which it ends, its entries and its log."""

    state: str
    entries: Mapping[str, Any] = field(default_factory=dict)
    log: str | None = None


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

    def is_done(self, step: int, task_id: str) -> bool:
        """Return whether a task's instances have ended at a step of the run."""
        return self.states[step] in FINISHED or self.levels[task_id] < self._level(step)

    def is_running(self, step: int, task_id: str) -> bool:
        """Return whether a task's instances are running at a step of the run."""
        return self.states[step] == "running" and self.levels[task_id] == self._level(step)

    def _level(self, step: int) -> int:
        """Return the level of the tasks that run at a step; 0 before the first running state."""
        running = [each for each, state in enumerate(self.states) if state == "running"]
        if self.states[step] != "running":
            return 0
        count = max(self.levels.values(), default=0) + 1
        return running.index(step) * count // len(running)


def plan(script: Any, tasks: Sequence[Task], number: int) -> Plan:
    """Return the plan of the DAG's run with this number, which counts from 1.

    `script` is the script of the DAG, a list of scripts for its first runs, or None. Of a list,
    the last one is for all further runs.
    """
    if isinstance(script, list):
        script = script[min(number, len(script)) - 1]
    script = script or {}
    instances = _instances(script.get("tasks", {}), tasks)
    states = tuple(script.get("states") or _default_states(instances, tasks))
    return Plan(states, _seconds(script, states), instances, task_graph.levels(tasks))


def substitute(value: Any, conf: Mapping[str, Any]) -> Any:
    """Return a value in which each `{"$conf": name}` is replaced with that part of `conf`.

    A missing one becomes the object's `default`, or None.
    """
    if isinstance(value, dict):
        if CONF in value:
            return conf.get(value[CONF], value.get("default"))
        return {name: substitute(each, conf) for name, each in value.items()}
    if isinstance(value, list):
        return [substitute(each, conf) for each in value]
    return value


def entry_texts(planned: InstancePlan, conf_text: str) -> dict[str, str]:
    """Return the values of a task instance's entries as JSON text, with parts of the run's conf."""
    conf = json.loads(conf_text) if planned.entries else {}
    return {key: json.dumps(substitute(each, conf)) for key, each in planned.entries.items()}


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
    defaults = _default_end_states(scripted, tasks)
    found = {}
    for task in tasks:
        task_id = task["task_id"]
        each = scripted.get(task_id, {})
        mapped = each.get("mapped")
        plain: Iterable[tuple[int, Any]] = ((index, {}) for index in task_graph.map_indexes(task))
        for map_index, row in enumerate(mapped) if mapped else plain:
            merged = {**each, **row}
            found[task_id, map_index] = InstancePlan(
                merged.get("state", defaults[task_id]),
                merged.get("entries", {}),
                merged.get("log"),
            )
    return found


def _default_end_states(scripted: Mapping[str, Any], tasks: Sequence[Task]) -> dict[str, str]:
    """Return the end state of each task: that of its script, else what its upstream tasks cause."""
    rules = {task["task_id"]: task.get("trigger_rule", "all_success") for task in tasks}
    found: dict[str, str] = {}
    for task_id, before in task_graph.upstream(tasks).items():
        ends = {found[each] for each in before} if rules[task_id] == "all_success" else set()
        caused = "success"
        if ends & {"failed", "upstream_failed"}:
            caused = "upstream_failed"
        elif "skipped" in ends:
            caused = "skipped"
        found[task_id] = _end_state(scripted.get(task_id, {}), caused)
    return found


def _end_state(scripted: Mapping[str, Any], caused: str) -> str:
    """Return the end state of a task; it fails if one of its mapped instances does."""
    rows = [{**scripted, **row}.get("state") for row in scripted.get("mapped", [])]
    return "failed" if "failed" in rows else scripted.get("state", caused)


def _default_states(
    instances: Mapping[tuple[str, int], InstancePlan], tasks: Sequence[Task]
) -> tuple[str, ...]:
    """Return the states of a run that lists none: it fails if a task without followers does."""
    leaves = [
        task_id for task_id, followers in task_graph.downstream(tasks).items() if not followers
    ]
    ends = [each.state for (task_id, _), each in instances.items() if task_id in leaves]
    has_failed = "failed" in ends or "upstream_failed" in ends
    return (*DEFAULT_STATES[:2], "failed") if has_failed else DEFAULT_STATES
