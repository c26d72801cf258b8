"""`/wait` streams the states of a run until it is finished, with the results of its tasks."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from xcom_server.api.v2 import waiting
from xcom_server.errors import Unavailable
from xcom_server.observability import shared
from xcom_server.storage.sql.runs import SqlRunStore

from tests.support.databases import load
from tests.support.live_server import LiveServer
from tests.support.v2_calls import error_detail, run, runs

DAG = {
    "dag_id": "etl",
    "tasks": [{"task_id": "a"}, {"task_id": "b", "dag_result": True}, {"task_id": "m"}],
}
ENTRIES: list[dict[str, Any]] = [
    {"task_id": "a", "value": {"rows": 5}},
    {"task_id": "a", "value": "no result", "key": "other"},
    {"task_id": "b", "value": "ü"},
    {"task_id": "n", "value": None},
    *({"task_id": "m", "map_index": index, "value": index} for index in (10, 2)),
    {"task_id": "o", "map_index": 3, "value": [1]},
]


def wait(client: FlaskClient, run_id: str = "r", query: str = "interval=0.01") -> TestResponse:
    return client.get(f"{run(run_id)}/wait?{query}")


@pytest.fixture
def finished(client: FlaskClient, database_url: str) -> FlaskClient:
    """Return a client of a server with a finished run and results."""
    row = {"dag_id": "etl", "run_id": "r"}
    entries = [{"key": "return_value", **row, **each} for each in ENTRIES]
    load(database_url, json.dumps({"dags": [DAG], "dag_runs": [row], "entries": entries}))
    return client


def test_each_line_shows_the_next_state(client: FlaskClient) -> None:
    client.post(runs(), json={"logical_date": None, "dag_run_id": "r"})

    answer = wait(client)

    assert answer.text == '{"state": "queued"}\n{"state": "running"}\n{"state": "success"}\n'
    assert "Content-Type" not in answer.headers
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize(
    ("query", "results"),
    [
        ("", {"b": "ü"}),
        ("&result=a", {"a": {"rows": 5}}),
        ("&result=m&result=a&result=nope", {"a": {"rows": 5}, "m": [2, 10]}),
        ("&result=n", {"n": None}),
        ("&result=o", {"o": [[1]]}),
    ],
)
def test_last_line_has_the_results(
    finished: FlaskClient, query: str, results: dict[str, Any]
) -> None:
    answer = wait(finished, query=f"interval=1{query}")

    assert answer.text == json.dumps({"state": "success", "results": results}) + "\n"


@pytest.mark.parametrize("query", ["&result=nope", "&result=", "&result=a,b"])
def test_line_without_results_has_only_the_state(finished: FlaskClient, query: str) -> None:
    assert wait(finished, query=f"interval=1{query}").text == '{"state": "success"}\n'


def test_all_results_of_a_mapped_task_are_returned(
    finished: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_PAGE", 1)

    assert json.loads(wait(finished, query="interval=1&result=m").text)["results"]["m"] == [2, 10]


def test_results_are_parsed_one_at_a_time_because_it_takes_much_memory(
    finished: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[str] = []
    at_once: list[int] = []

    def loads(text: str) -> Any:
        running.append(text)
        time.sleep(0.01)
        at_once.append(len(running))
        running.remove(text)
        return json.loads(text)

    monkeypatch.setattr(waiting, "json", SimpleNamespace(loads=loads, dumps=json.dumps))

    def text_of_response(_number: int) -> str:
        client = finished.application.test_client()
        return wait(client, query="interval=1&result=m&result=a").text

    with ThreadPoolExecutor(4) as pool:
        texts = {*pool.map(text_of_response, range(4))}

    assert [json.loads(text)["results"] for text in texts] == [{"a": {"rows": 5}, "m": [2, 10]}]
    assert {*at_once} == {1}


def test_infinite_interval_is_accepted_for_a_finished_run(finished: FlaskClient) -> None:
    assert wait(finished, query="interval=1e400").status_code == 200


def test_gzip_does_not_delay_the_lines(client: FlaskClient) -> None:
    client.post(runs(), json={"logical_date": None, "dag_run_id": "r"})

    answer = client.get(f"{run('r')}/wait?interval=0.01", headers={"Accept-Encoding": "gzip"})

    assert answer.text.startswith('{"state": "queued"}\n')


def test_too_many_waiting_requests_are_a_503(
    make_client: Callable[..., FlaskClient], database_url: str
) -> None:
    seeded = [{"dag_id": "etl", "run_id": name, "state": "running"} for name in ("r", "s", "t")]
    load(database_url, json.dumps({"dag_runs": seeded}))
    client = make_client(threads=3)
    streams = [client.get(f"{run(name)}/wait?interval=1", buffered=False) for name in ("r", "s")]

    refused = wait(client, "t")
    for each in streams:
        each.close()
    accepted = client.get(f"{run('t')}/wait?interval=1", buffered=False)

    assert error_detail(refused, 503).startswith("Too many requests are waiting")
    assert refused.headers["Retry-After"] == "1"
    assert accepted.status_code == 200
    accepted.close()


def test_finished_run_needs_no_free_thread(
    make_client: Callable[..., FlaskClient], database_url: str
) -> None:
    seeded = [
        {"dag_id": "etl", "run_id": "r", "state": "running"},
        {"dag_id": "etl", "run_id": "done"},
    ]
    load(database_url, json.dumps({"dag_runs": seeded}))
    client = make_client(threads=1)
    stream = client.get(f"{run('r')}/wait?interval=1", buffered=False)

    assert wait(client, "done").text == '{"state": "success"}\n'
    stream.close()


def test_an_unavailable_database_does_not_end_a_wait(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(runs(), json={"logical_date": None, "dag_run_id": "r"})
    get = SqlRunStore.get
    calls = iter([get, _fail, get, get])
    monkeypatch.setattr(SqlRunStore, "get", lambda *key: next(calls)(*key))

    states = [json.loads(line)["state"] for line in wait(client).text.splitlines()]

    assert states == ["queued", "queued", "running", "success"]


def _fail(store: SqlRunStore, dag_id: str, run_id: str) -> NoReturn:
    raise Unavailable("The database cannot be reached.")


def test_stop_of_the_server_cuts_a_wait_off(
    make_client: Callable[..., FlaskClient], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded = {"dag_id": "etl", "run_id": "r", "state": "running"}
    load(database_url, json.dumps({"dag_runs": [seeded]}))
    client = make_client()
    monkeypatch.setattr(shared, "is_draining", lambda: True)

    # A complete response would end with the state of a run that has not ended.
    with pytest.raises(ConnectionResetError, match="the server stops"):
        _ = wait(client, query="interval=60").text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path, workers=1, XCOM_THREADS="2") as live:
        yield live


def open_wait(server: LiveServer, run_id: str, interval: int = 30) -> socket.socket:
    """Send a request that waits, and return its connection after the first line."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    path = f"{run(run_id)}/wait?interval={interval}"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    received = b""
    while b'"state"' not in received:
        part = connection.recv(4096)
        assert part
        received += part
    return connection


@pytest.mark.slow
def test_first_line_is_sent_at_once_and_a_lost_client_frees_its_thread(server: LiveServer) -> None:
    seeded = [{"dag_id": "etl", "run_id": name, "state": "running"} for name in ("r", "s")]
    load(server.database_url, json.dumps({"dag_runs": seeded}))
    started = time.monotonic()

    open_wait(server, "r").close()
    time.sleep(2 * waiting._CHECK_SECONDS)
    second = open_wait(server, "s")

    assert time.monotonic() - started < 20
    second.close()


@pytest.mark.slow
def test_wait_for_a_run_that_is_deleted_is_cut_off_and_logged_without_a_traceback(
    server: LiveServer,
) -> None:
    body = {"dag_runs": [{"dag_id": "etl", "run_id": "r", "state": "queued"}]}
    load(server.database_url, json.dumps(body))

    with open_wait(server, "r", interval=1) as connection:
        requests.delete(f"{server.url}{run('r')}").raise_for_status()
        rest = b"".join(iter(lambda: connection.recv(4096), b""))
    log = server.log.read_text()

    assert not rest.endswith(b"0\r\n\r\n")
    assert "/wait for run 'r' of DAG 'etl' was cut off: the run was deleted" in log
    assert "Traceback" not in log


@pytest.mark.slow
def test_other_requests_are_answered_during_a_wait(server: LiveServer) -> None:
    load(
        server.database_url,
        json.dumps({"dag_runs": [{"dag_id": "etl", "run_id": "r", "state": "running"}]}),
    )
    connection = open_wait(server, "r")
    answers: list[int] = []

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as other:
            other.sendall(f"GET {run('r')} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answers.append(int(other.recv(4096).split()[1]))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(10)

    assert answers == [200]
    connection.close()
