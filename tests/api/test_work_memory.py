"""Requests with large JSON wait for memory, and the others do not; it is free again afterwards."""

import threading
import time
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from xcom_server.api import work_memory
from xcom_server.api.work_memory import FREE, WorkMemory, cost
from xcom_server.errors import Unavailable

from tests.support.memory import MIB
from tests.support.v2_calls import entries, entry

LISTS = f"[{','.join(['[]'] * 300_000)}]"


def test_memory_is_taken_until_it_is_given_back() -> None:
    memory = WorkMemory(100, threads=1)

    assert memory.take(60, may_refuse=True) == 60
    with pytest.raises(Unavailable, match="Too many requests with large JSON"):
        memory.take(60, may_refuse=True)
    memory.give_back(60)
    assert memory.take(1000, may_refuse=True) == 100


def test_request_that_has_changed_data_is_never_refused() -> None:
    memory = WorkMemory(100, threads=1)
    memory.take(100, may_refuse=True)

    assert memory.take(100, may_refuse=False) == 100


def test_request_waits_for_memory() -> None:
    memory = WorkMemory(100, threads=4)
    memory.take(100, may_refuse=True)
    timer = threading.Timer(0.1, lambda: memory.give_back(100))
    timer.start()

    assert memory.take(50, may_refuse=True) == 50
    timer.join()


def test_two_threads_never_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_memory, "MAX_WAIT_SECONDS", 60)
    memory = WorkMemory(100, threads=4)
    memory.take(100, may_refuse=True)
    refused: list[float] = []

    def wait() -> None:
        try:
            memory.give_back(memory.take(100, may_refuse=True))
        except Unavailable:
            refused.append(time.monotonic())

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    while not refused:
        time.sleep(0.01)

    assert len(refused) == 1
    memory.give_back(100)
    for thread in threads:
        thread.join()
    assert len(refused) == 1


def test_memory_is_free_again_after_each_request(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(work_memory_bytes=MIB)
    memory = client.application.extensions["work_memory"]
    body = f'{{"key":"k","value":{LISTS}}}'

    for status in (201, 409):
        answer = client.post(entries(), data=body, content_type="application/json")
        assert answer.status_code == status
        assert memory.take(MIB, may_refuse=True) == MIB
        memory.give_back(MIB)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_request_without_memory_is_a_503(
    make_client: Callable[..., FlaskClient], method: str
) -> None:
    client = make_client(threads=1)
    body = f'{{"key":"k","value":{LISTS}}}'
    client.post(entries(), data=body, content_type="application/json")
    client.application.extensions["work_memory"].take(10**9, may_refuse=True)

    url, data = (entry("k"), None) if method == "GET" else (entries(), body)
    answer = client.open(url, method=method, data=data, content_type="application/json")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["detail"].startswith("Too many requests with large JSON")
    assert client.get(entries()).status_code == 200
    assert cost(LISTS) > FREE
