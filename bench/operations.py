"""The measured requests, as data: a method, and a URL and a body that depend on a number."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from bench.data import KEYS, Layout, value

V1 = "/api/v1"
V2 = "/api/v2"

ANYTHING = "~"

SPREAD = 7919
"""A prime, so that successive requests are for distant entries."""


@dataclass(frozen=True)
class Request:
    """One HTTP request; `path` is percent-encoded and includes the query string."""

    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True)
class Operation:
    """Requests of one kind: `request` returns one by its number, from 0; `status` is expected."""

    name: str
    request: Callable[[int], Request]
    status: int = 200


def operations(layout: Layout, base: str = V1) -> dict[str, Operation]:
    """Return the operations on the entries of a layout, by name."""
    created = 201 if base == V2 else 200
    found = [
        Operation("GET entry", lambda n: Request("GET", _entry(base, layout, n))),
        Operation("list of 100", lambda n: Request("GET", _of_instance(base, layout, n))),
        Operation("list of all, first page", lambda n: Request("GET", _of_all(base, 0))),
        Operation("list of all, deep", lambda n: Request("GET", _of_all(base, deep(layout)))),
        Operation("POST", lambda n: _post(base, layout, n), created),
        Operation("PATCH", lambda n: Request("PATCH", _entry(base, layout, n), _body(base, n))),
        Operation("DELETE", lambda n: Request("DELETE", _new(base, layout, n)), 204),
    ]
    return {each.name: each for each in found}


TRIGGERED = "triggered"
"""The DAG whose runs the requests trigger."""


def run_operations(layout: Layout, base: str = V1) -> dict[str, Operation]:
    """Return the operations on the runs and task instances of a layout, by name."""
    found = [
        Operation("GET run", lambda n: Request("GET", _run(base, layout, n))),
        Operation(
            "list of 100 runs",
            lambda n: Request("GET", f"{base}/dags/{ANYTHING}/dagRuns?limit={KEYS}"),
        ),
        Operation(
            "list of 100 task instances",
            lambda n: Request("GET", _task_instances(base, layout, n)),
        ),
        Operation("trigger", lambda n: _trigger(base, n)),
    ]
    return {each.name: each for each in found}


def deep(layout: Layout) -> int:
    """Return the offset of nine tenths of all entries."""
    return layout.entries * 9 // 10


def _instance(base: str, layout: Layout, number: int) -> str:
    dag_id, run_id, task_id = layout.instance(number * SPREAD % layout.instances)
    return (
        f"{base}/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/xcomEntries"
    )


def _run(base: str, layout: Layout, number: int) -> str:
    dag_id, run_id, _ = layout.instance(number * SPREAD % layout.instances)
    return f"{base}/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _task_instances(base: str, layout: Layout, number: int) -> str:
    dag_id = layout.instance(number * SPREAD % layout.instances).dag_id
    return f"{base}/dags/{dag_id}/dagRuns/{ANYTHING}/taskInstances?limit={KEYS}"


def _trigger(base: str, number: int) -> Request:
    given: dict[str, object] = {"dag_run_id": new_key(number), "conf": {"table": f"t{number}"}}
    body = given if base == V1 else given | {"logical_date": None}
    return Request("POST", f"{base}/dags/{TRIGGERED}/dagRuns", json.dumps(body).encode())


def _of_instance(base: str, layout: Layout, number: int) -> str:
    return f"{_instance(base, layout, number)}?limit={KEYS}"


def _of_all(base: str, offset: int) -> str:
    return (
        f"{base}/dags/{ANYTHING}/dagRuns/{ANYTHING}/taskInstances/{ANYTHING}/xcomEntries"
        f"?limit={KEYS}&offset={offset}"
    )


def _entry(base: str, layout: Layout, number: int) -> str:
    return f"{_instance(base, layout, number)}/{layout.key(number * SPREAD)}"


def _new(base: str, layout: Layout, number: int) -> str:
    return f"{_instance(base, layout, number)}/{new_key(number)}"


def new_key(number: int) -> str:
    """Return the key that the POST of this number creates and the DELETE removes."""
    return f"new_{number}"


def _post(base: str, layout: Layout, number: int) -> Request:
    return Request("POST", _instance(base, layout, number), _body(base, number, new_key(number)))


def _body(base: str, number: int, key: str | None = None) -> bytes:
    """Return the body for an API version; in v1, values are text."""
    given = value(number) if base == V1 else json.loads(value(number))
    return json.dumps(({"key": key} if key else {}) | {"value": given}).encode()
