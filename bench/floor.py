"""The contender `floor`: a WSGI callable and the database driver, a lower bound for frameworks."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from sqlalchemy import make_url

_LISTED = "x.dag_id, x.task_id, x.map_index, x.key, x.timestamp, r.logical_date"
_NAMES = _LISTED.replace("x.", "").replace("r.logical_date", "execution_date").split(", ")
_JOINED = "FROM xcom x JOIN dag_run r ON r.dag_id = x.dag_id AND r.run_id = x.run_id"
_ORDER = "x.dag_id, x.task_id, x.run_id, x.map_index, x.key"
_OF = "{x}dag_id = ? AND {x}run_id = ? AND {x}task_id = ?"

Answer = tuple[str, Any]


def create_app(url: str) -> Callable[..., Iterable[bytes]]:
    """Return the callable on a database that data.fill has filled."""
    execute = _executor(url)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        parts = environ["PATH_INFO"].split("/")
        names = (parts[4], parts[6], parts[8])
        status, answer = _answer(execute, environ, names, parts[10] if len(parts) > 10 else None)
        body = b"" if answer is None else json.dumps(answer).encode()
        start_response(
            status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    return app


def _answer(
    execute: Callable[..., Any], environ: dict[str, Any], names: tuple[str, ...], key: str | None
) -> Answer:
    match environ["REQUEST_METHOD"]:
        case "GET" if key is None:
            return "200 OK", _page(execute, names, parse_qs(environ["QUERY_STRING"]))
        case "GET":
            pass
        case "POST":
            body = _body(environ)
            key = body["key"]
            execute(
                "INSERT INTO xcom (dag_id, run_id, task_id, map_index, key, timestamp, value)"
                " VALUES (?, ?, ?, -1, ?, ?, ?)",
                (*names, key, datetime.now(UTC).isoformat(" "), body["value"]),
            )
        case "PATCH":
            execute(
                f"UPDATE xcom SET value = ? WHERE {_OF.format(x='')} AND key = ?",
                (_body(environ)["value"], *names, key),
            )
        case "DELETE":
            execute(f"DELETE FROM xcom WHERE {_OF.format(x='')} AND key = ?", (*names, key))
            return "204 NO CONTENT", None
    row = execute(
        f"SELECT {_LISTED}, value {_JOINED} WHERE {_OF.format(x='x.')} AND x.key = ?", (*names, key)
    )[0]
    return "200 OK", dict(zip([*_NAMES, "value"], map(_shown, row), strict=True))


def _page(
    execute: Callable[..., Any], names: tuple[str, ...], query: dict[str, list[str]]
) -> dict[str, Any]:
    limit, offset = int(query["limit"][0]), int(query.get("offset", ["0"])[0])
    where, given = ("true", ()) if names[0] == "~" else (_OF.format(x="x."), names)
    total = execute(f"SELECT count(*) FROM xcom x WHERE {where}", given)[0][0]
    rows = execute(
        f"SELECT {_LISTED} {_JOINED} WHERE {where} ORDER BY {_ORDER} LIMIT ? OFFSET ?",
        (*given, limit, offset),
    )
    return {
        "total_entries": total,
        "xcom_entries": [dict(zip(_NAMES, map(_shown, row), strict=True)) for row in rows],
    }


def _shown(each: Any) -> Any:
    return each.isoformat() if isinstance(each, datetime) else each


def _body(environ: dict[str, Any]) -> Any:
    return json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))


def _executor(url: str) -> Callable[..., Any]:
    """Return a function that runs a statement on a connection per thread, and commits it."""
    local = threading.local()
    parsed = make_url(url)

    def execute(statement: str, given: tuple[Any, ...]) -> Any:
        if not hasattr(local, "run"):
            local.run = (
                _sqlite(parsed.database)
                if parsed.get_backend_name() == "sqlite"
                else _postgres(url)
            )
        return local.run(statement, given)

    return execute


def _sqlite(path: str | None) -> Callable[..., Any]:
    connection = sqlite3.connect(path or "", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")
    return lambda statement, given: connection.execute(statement, given).fetchall()


def _postgres(url: str) -> Callable[..., Any]:
    import psycopg

    connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def run(statement: str, given: tuple[Any, ...]) -> Any:
        cursor = connection.execute(statement.replace("?", "%s"), given)
        return cursor.fetchall() if cursor.description else []

    return run
