"""Requests to v1's operations on task instances, DAGs and logs that produce each status."""

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.v1_calls import create, dag, entries, instances, run, runs

Call = Callable[[FlaskClient], TestResponse]

HUGE = '{"note": "%s"}' % ("x" * 1024 * 1024)
DAGS = "/api/v1/dags"
MATCHING = f"{DAGS}?dag_id_pattern=~"
ONE, MAPPED, NOPE = (f"{instances()}/{task}" for task in ("extract", "extract/0", "nope"))
BATCH = f"{instances('~', '~')}/list"
CLEAR = f"{dag()}/clearTaskInstances"
STATE: dict[str, Any] = {"new_state": "success"}
PAUSE: dict[str, Any] = {"is_paused": True}


def _with_mapped(call: Call) -> Call:
    """Return a function that creates a mapped task instance first."""

    def send(client: FlaskClient) -> TestResponse:
        client.post(entries(), json={"key": "k", "value": "v"}, query_string={"map_index": 0})
        return call(client)

    return send


def _delete_while_running(client: FlaskClient) -> TestResponse:
    create(client)
    client.post(runs(), json={"dag_run_id": "r"})
    client.get(run("r"))
    return client.delete(dag())


_GET: dict[tuple[str, str], str] = {
    ("get_dags", "200"): DAGS,
    ("get_dags", "400"): f"{DAGS}?limit=x",
    ("get_dag", "200"): dag(),
    ("get_dag", "400"): f"{dag()}?fields=x",
    ("get_dag", "404"): dag("nope"),
    ("get_dag_details", "200"): f"{dag()}/details",
    ("get_dag_details", "400"): f"{dag()}/details?fields=x",
    ("get_dag_details", "404"): f"{dag('nope')}/details",
    ("get_tasks", "200"): f"{dag()}/tasks",
    ("get_tasks", "400"): f"{dag()}/tasks?order_by=x",
    ("get_tasks", "404"): f"{dag('nope')}/tasks",
    ("get_task", "200"): f"{dag()}/tasks/extract",
    ("get_task", "400"): f"{dag()}/tasks/extract?x=1",
    ("get_task", "404"): f"{dag()}/tasks/nope",
    ("get_task_instances", "200"): instances(),
    ("get_task_instances", "400"): f"{instances()}?state=x",
    ("get_task_instance", "200"): ONE,
    ("get_task_instance", "400"): f"{ONE}?x=1",
    ("get_task_instance", "404"): NOPE,
    ("get_mapped_task_instance", "200"): MAPPED,
    ("get_mapped_task_instance", "400"): f"{MAPPED}?x=1",
    ("get_mapped_task_instance", "404"): f"{NOPE}/0",
    ("get_mapped_task_instances", "200"): f"{ONE}/listMapped",
    ("get_mapped_task_instances", "400"): f"{ONE}/listMapped?order_by=x",
    ("get_mapped_task_instances", "404"): f"{NOPE}/listMapped",
    ("get_task_instance_tries", "200"): f"{ONE}/tries",
    ("get_task_instance_tries", "400"): f"{ONE}/tries?x=1",
    ("get_mapped_task_instance_tries", "200"): f"{MAPPED}/tries",
    ("get_mapped_task_instance_tries", "400"): f"{MAPPED}/tries?x=1",
    ("get_mapped_task_instance_tries", "404"): f"{ONE}/x/tries",
    ("get_task_instance_try_details", "200"): f"{ONE}/tries/1",
    ("get_task_instance_try_details", "400"): f"{ONE}/tries/1?x=1",
    ("get_task_instance_try_details", "404"): f"{ONE}/tries/9",
    ("get_mapped_task_instance_try_details", "200"): f"{MAPPED}/tries/1",
    ("get_mapped_task_instance_try_details", "400"): f"{MAPPED}/tries/1?x=1",
    ("get_mapped_task_instance_try_details", "404"): f"{MAPPED}/tries/9",
    ("get_log", "200"): f"{ONE}/logs/1",
    ("get_log", "400"): f"{ONE}/logs/1?token=x",
    ("get_log", "404"): f"{NOPE}/logs/1",
}
_DELETE: dict[tuple[str, str], Call] = {
    ("delete_dag", "204"): lambda c: c.delete(dag()),
    ("delete_dag", "400"): lambda c: c.delete(f"{dag()}?x=1"),
    ("delete_dag", "404"): lambda c: c.delete(dag("nope")),
    ("delete_dag", "409"): _delete_while_running,
}
_WITH_BODY: dict[str, tuple[str, str, str | None, dict[str, Any]]] = {
    "patch_dags": ("PATCH", MATCHING, None, PAUSE),
    "patch_dag": ("PATCH", dag(), dag("nope"), PAUSE),
    "post_clear_task_instances": ("POST", CLEAR, f"{dag('nope')}/clearTaskInstances", {}),
    "get_task_instances_batch": ("POST", BATCH, None, {}),
    "patch_task_instance": ("PATCH", ONE, NOPE, STATE),
    "patch_mapped_task_instance": ("PATCH", MAPPED, f"{NOPE}/0", STATE),
    "set_task_instance_note": ("PATCH", f"{ONE}/setNote", f"{NOPE}/setNote", {"note": "n"}),
    "set_mapped_task_instance_note": (
        *("PATCH", f"{MAPPED}/setNote", f"{NOPE}/0/setNote"),
        {"note": "n"},
    ),
}
"""Operation -> method, path, path of something unknown if there is such a 404, valid body."""


def _calls_with_body(operation: str) -> dict[tuple[str, str], Call]:
    method, path, unknown, body = _WITH_BODY[operation]
    calls: dict[tuple[str, str], Call] = {
        (operation, "200"): lambda c: c.open(path, method=method, json=body),
        (operation, "400"): lambda c: c.open(path, method=method, json={"x": 1}),
        (operation, "413"): lambda c: c.open(path, method=method, data=HUGE),
        (operation, "415"): lambda c: c.open(path, method=method, data="x"),
    }
    if unknown:
        calls[operation, "404"] = lambda c: c.open(unknown, method=method, json=body)
    return calls


def _get(path: str) -> Call:
    return lambda client: client.get(path)


_CALLS: dict[tuple[str, str], Call] = {
    **{case: _get(path) for case, path in _GET.items()},
    **_DELETE,
    **{case: call for name in _WITH_BODY for case, call in _calls_with_body(name).items()},
}
TASK_CALLS = {
    case: _with_mapped(call) if "mapped" in case[0] else call for case, call in _CALLS.items()
}
"""Operation and status -> a function that sends a request; an entry of `etl` exists."""
