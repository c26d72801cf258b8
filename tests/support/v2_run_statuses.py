"""A request for each status of v2's operations on DAG runs."""

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.calls import RUN
from tests.support.v2_calls import run, runs

Call = Callable[[FlaskClient], TestResponse]

HUGE = '{"note": "%s"}' % ("x" * 1024 * 1024)
NEW: dict[str, Any] = {"logical_date": None}


def _bodies(operation: str, method: str, path: str) -> dict[tuple[str, str], Call]:
    """Return the requests that an operation rejects because of its URL or its body."""
    return {
        (operation, "400"): lambda c: c.open(f"{path}?x=%ff", method=method, json={}),
        (operation, "413"): lambda c: c.open(path, method=method, data=HUGE),
        (operation, "422"): lambda c: c.open(path, method=method, json={"bogus": 1}),
    }


def _delete_running(client: FlaskClient) -> TestResponse:
    client.post(runs(), json={**NEW, "dag_run_id": "r"})
    client.get(run("r"))
    return client.delete(run("r"))


RUN_CALLS: dict[tuple[str, str], Call] = {
    ("get_dag_runs", "200"): lambda c: c.get(runs()),
    ("get_dag_runs", "400"): lambda c: c.get(f"{runs()}?order_by=x"),
    ("get_dag_runs", "404"): lambda c: c.get(runs("nope")),
    ("get_dag_runs", "422"): lambda c: c.get(f"{runs()}?limit=x"),
    ("trigger_dag_run", "200"): lambda c: c.post(runs(), json=NEW),
    ("trigger_dag_run", "404"): lambda c: c.post(runs("~"), json=NEW),
    ("trigger_dag_run", "409"): lambda c: [
        c.post(runs(), json={**NEW, "dag_run_id": "r"}) for _ in range(2)
    ][1],
    **_bodies("trigger_dag_run", "POST", runs()),
    ("get_list_dag_runs_batch", "200"): lambda c: c.post(f"{runs('~')}/list", json={}),
    **_bodies("get_list_dag_runs_batch", "POST", f"{runs('~')}/list"),
    ("get_dag_run", "200"): lambda c: c.get(run(RUN)),
    ("get_dag_run", "400"): lambda c: c.get(f"{run(RUN)}?x=%ff"),
    ("get_dag_run", "404"): lambda c: c.get(run("nope")),
    ("get_dag_run", "422"): lambda c: c.get(run("a\0")),
    ("patch_dag_run", "200"): lambda c: c.patch(run(RUN), json={"state": "failed"}),
    ("patch_dag_run", "404"): lambda c: c.patch(run("nope"), json={}),
    **_bodies("patch_dag_run", "PATCH", run(RUN)),
    ("delete_dag_run", "204"): lambda c: c.delete(run(RUN)),
    ("delete_dag_run", "400"): lambda c: c.delete(f"{run(RUN)}?x=%ff"),
    ("delete_dag_run", "404"): lambda c: c.delete(run("nope")),
    ("delete_dag_run", "409"): _delete_running,
    ("delete_dag_run", "422"): lambda c: c.delete(run("a\0")),
    ("clear_dag_run", "200"): lambda c: c.post(f"{run(RUN)}/clear", json={}),
    ("clear_dag_run", "404"): lambda c: c.post(f"{run('nope')}/clear", json={}),
    **_bodies("clear_dag_run", "POST", f"{run(RUN)}/clear"),
    ("wait_dag_run_until_finished", "200"): lambda c: c.get(f"{run(RUN)}/wait?interval=1"),
    ("wait_dag_run_until_finished", "400"): lambda c: c.get(f"{run(RUN)}/wait?x=%ff"),
    ("wait_dag_run_until_finished", "404"): lambda c: c.get(f"{run('nope')}/wait?interval=1"),
    ("wait_dag_run_until_finished", "422"): lambda c: c.get(f"{run(RUN)}/wait"),
}
