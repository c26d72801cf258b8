"""Random requests for entries with unusual names and values, and the clock of a test."""

import random
from datetime import UTC, datetime, tzinfo
from typing import Any, ClassVar, Self
from urllib.parse import quote

from flask.testing import FlaskClient

from tests.support import recorded

Request = dict[str, Any]
"""Method, path, query, headers and body, as in the recordings."""

RANDOM = {"ETag", "X-Request-Id"}
NAMES = [
    "a",
    "A",
    "b",
    "B",
    "ab",
    "a_b",
    "a%b",
    "a\\b",
    "a b",
    "a|b",
    "ä",
    "Ä",
    "é",
    "z",
    "Z",
    "~a",
    "10",
    "9",
    "\U0001f642",
    "\uffee",
    "-",
    "_",
    "%",
]
RUNS = ["r", "R", "scheduled__2024-01-01T00:00Z"]
VALUES = [
    "null",
    '"v"',
    "1.10",
    "1180591620717411303424",
    '{"b": 1, "a": [2, null]}',
    '"ü🙂"',
    '"\\u0001"',
    "-0.0",
    "true",
    "[]",
    "{",
]
FIELDS = [
    "key",
    "dag_id",
    "run_id",
    "task_id",
    "map_index",
    "timestamp",
    "logical_date",
    "run_after",
    "dag_display_name",
    "id",
    "nonsense",
]
DATES = [
    "2024-01-01T00:00:00Z",
    "2024-03-05T06:07:08.9Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-11-25T12:00:00+05:30",
]


class Clock(datetime):
    """A clock that stands still until a test advances it."""

    current: ClassVar[datetime] = datetime(2026, 1, 1, tzinfo=UTC)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """Return the time."""
        return cls.current.astimezone(tz)  # type: ignore[return-value]


def answer(client: FlaskClient, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
    response = client.open(
        request["path"],
        query_string=request["query"],
        method=request["method"],
        headers=request["headers"],
        data=recorded.body_of(request),
    )
    headers = [(name, value) for name, value in response.headers if name not in RANDOM]
    return response.status_code, headers, response.data


def generated(chance: random.Random) -> Request:
    """Return a random request for one of few entries, or for a list of them."""
    version, names = chance.choice(["v1", "v2"]), [chance.choice(NAMES) for _ in range(4)]
    kind = chance.choice(["create", "create", "list", "list", "get", "patch", "delete"])
    if kind != "list" or chance.random() < 0.4:
        names[:3] = [chance.choice("aäB"), chance.choice(RUNS), chance.choice("tT")]
    if kind == "list":
        names[:3] = [name if chance.random() < 0.4 else "~" for name in names[:3]]
    dag, run, task, key = (quote(name, safe="~") for name in names)
    path = f"/api/{version}/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries"
    body = None
    if kind in ("create", "patch"):
        value = chance.choice(VALUES)
        member = f'"key": "{names[3]}", '.replace("\\", "\\\\") if kind == "create" else ""
        body = f'{{{member}"value": {value}}}'
    method = {"create": "POST", "patch": "PATCH", "delete": "DELETE"}.get(kind, "GET")
    return {
        "method": method,
        "path": path + ("" if kind in ("create", "list") else f"/{key}"),
        "query": _query(chance, version) if kind == "list" else "",
        "headers": {"Content-Type": "application/json"},
        "body": body,
        "body_is_raw": True,
    }


def _query(chance: random.Random, version: str) -> str:
    pairs = [("limit", str(chance.choice([0, 1, 3, 100]))), ("offset", str(chance.choice([0, 2])))]
    if chance.random() < 0.3:
        pairs.append(("xcom_key", chance.choice(NAMES)))
    if chance.random() < 0.2:
        pairs.append(("map_index", str(chance.choice([-1, 0]))))
    if version == "v2" and chance.random() < 0.7:
        pairs += [
            ("order_by", chance.choice(["", "-"]) + chance.choice(FIELDS))
            for _ in range(chance.randint(1, 3))
        ]
        pairs.append(
            (
                chance.choice(
                    [
                        "xcom_key_pattern",
                        "run_id_pattern",
                        "task_id_pattern",
                        "dag_display_name_prefix_pattern",
                    ]
                ),
                chance.choice(NAMES),
            )
        )
        pairs.append(
            (
                chance.choice(["logical_date_gte", "run_after_lt", "logical_date_lte"]),
                chance.choice(DATES),
            )
        )
    kept = [pair for pair in pairs if chance.random() < 0.6]
    return "&".join(f"{name}={quote(value)}" for name, value in kept)
