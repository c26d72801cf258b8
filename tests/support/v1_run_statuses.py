"""Requests to v1's operations on DAG runs that produce each documented status."""

from collections.abc import Callable

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.calls import RUN
from tests.support.v1_calls import run, runs

HUGE = '{"note": "%s"}' % ("x" * 1024 * 1024)
BATCH = f"{runs('~')}/list"
CLEAR, NOTE = f"{run()}/clear", f"{run()}/setNote"
IMPORT_ERRORS = "/api/v1/importErrors"

RUN_CALLS: dict[tuple[str, str], Callable[[FlaskClient], TestResponse]] = {
    ("get_dag_runs", "200"): lambda c: c.get(runs()),
    ("get_dag_runs", "400"): lambda c: c.get(runs() + "?limit=x"),
    ("get_dag_runs_batch", "200"): lambda c: c.post(BATCH, json={}),
    ("get_dag_runs_batch", "400"): lambda c: c.post(BATCH, json={"page_limit": 0}),
    ("get_dag_runs_batch", "413"): lambda c: c.post(BATCH, data=HUGE),
    ("get_dag_runs_batch", "415"): lambda c: c.post(BATCH, data="x"),
    ("post_dag_run", "200"): lambda c: c.post(runs(), json={}),
    ("post_dag_run", "400"): lambda c: c.post(runs(), json={"conf": 1}),
    ("post_dag_run", "404"): lambda c: c.post(runs("~"), json={}),
    ("post_dag_run", "409"): lambda c: c.post(runs(), json={"dag_run_id": RUN}),
    ("post_dag_run", "413"): lambda c: c.post(runs(), data=HUGE),
    ("post_dag_run", "415"): lambda c: c.post(runs(), data="x"),
    ("get_dag_run", "200"): lambda c: c.get(run()),
    ("get_dag_run", "400"): lambda c: c.get(run() + "?fields=x"),
    ("get_dag_run", "404"): lambda c: c.get(run("nope")),
    ("update_dag_run_state", "200"): lambda c: c.patch(run(), json={"state": "failed"}),
    ("update_dag_run_state", "400"): lambda c: c.patch(run(), json={}),
    ("update_dag_run_state", "404"): lambda c: c.patch(run("nope"), json={}),
    ("update_dag_run_state", "413"): lambda c: c.patch(run(), data=HUGE),
    ("update_dag_run_state", "415"): lambda c: c.patch(run(), data="x"),
    ("delete_dag_run", "204"): lambda c: c.delete(run()),
    ("delete_dag_run", "400"): lambda c: c.delete(run() + "?x=1"),
    ("delete_dag_run", "404"): lambda c: c.delete(run("nope")),
    ("clear_dag_run", "200"): lambda c: c.post(CLEAR, json={}),
    ("clear_dag_run", "400"): lambda c: c.post(CLEAR, json={"x": 1}),
    ("clear_dag_run", "404"): lambda c: c.post(f"{run('nope')}/clear", json={}),
    ("clear_dag_run", "413"): lambda c: c.post(CLEAR, data=HUGE),
    ("clear_dag_run", "415"): lambda c: c.post(CLEAR, data="x"),
    ("set_dag_run_note", "200"): lambda c: c.patch(NOTE, json={"note": "n"}),
    ("set_dag_run_note", "400"): lambda c: c.patch(NOTE, json={}),
    ("set_dag_run_note", "404"): lambda c: c.patch(f"{run('nope')}/setNote", json={}),
    ("set_dag_run_note", "413"): lambda c: c.patch(NOTE, data=HUGE),
    ("set_dag_run_note", "415"): lambda c: c.patch(NOTE, data="x"),
    ("get_import_errors", "200"): lambda c: c.get(IMPORT_ERRORS),
    ("get_import_errors", "400"): lambda c: c.get(IMPORT_ERRORS + "?limit=x"),
}
"""Operation and status -> a function that sends a request; a run of `etl` exists."""
