"""The queue for argon2: who waits, who is refused, and who is first."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from xcom_server.auth import check_queue
from xcom_server.auth.check_queue import CheckQueue
from xcom_server.errors import TooManyAttempts

from tests.support.waiting import until


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_queue, "WAIT_SECONDS", 60)


class Requests:
    """Requests in threads, which record the order of their checks."""

    def __init__(self, queue: CheckQueue) -> None:
        self._queue = queue
        self.done: list[str] = []
        self._threads: list[threading.Thread] = []

    def start(self, name: str, *, is_familiar: bool = False) -> None:
        thread = threading.Thread(target=self._check, args=(name, is_familiar))
        self._threads.append(thread)
        thread.start()

    def waiting(self, *, is_familiar: bool = False) -> int:
        return self._queue._waiting[is_familiar]

    def join(self) -> list[str]:
        for thread in self._threads:
            thread.join(60)
        return self.done

    def _check(self, name: str, is_familiar: bool) -> None:
        try:
            with self._queue.turn(is_familiar=is_familiar):
                self.done.append(name)
        except TooManyAttempts:
            self.done.append(f"{name} refused")


@contextmanager
def a_check_running(queue: CheckQueue) -> Iterator[Requests]:
    requests = Requests(queue)
    with queue.turn(is_familiar=False):
        yield requests


def test_all_requests_wait_while_no_passwords_are_guessed() -> None:
    with a_check_running(CheckQueue(lambda: False, 0)) as requests:
        for name in "abc":
            requests.start(name)
        until(lambda: requests.waiting() == 3)

    assert sorted(requests.join()) == ["a", "b", "c"]


@pytest.mark.parametrize("strangers", [0, 1, 2])
def test_requests_beyond_the_maximum_are_refused_at_once_during_guessing(strangers: int) -> None:
    with a_check_running(CheckQueue(lambda: True, strangers)) as requests:
        for number in range(strangers):
            requests.start(str(number))
        until(lambda: requests.waiting() == strangers)
        requests.start("more")
        until(lambda: requests.done == ["more refused"])
        assert requests.waiting() == strangers

    assert len(requests.join()) == strangers + 1


def test_familiar_addresses_wait_also_during_guessing() -> None:
    with a_check_running(CheckQueue(lambda: True, 0)) as requests:
        for name in "abc":
            requests.start(name, is_familiar=True)
        until(lambda: requests.waiting(is_familiar=True) == 3)

    assert sorted(requests.join()) == ["a", "b", "c"]


def test_familiar_address_is_checked_before_strangers() -> None:
    with a_check_running(CheckQueue(lambda: False, 1)) as requests:
        for number in range(3):
            requests.start(f"stranger {number}")
        until(lambda: requests.waiting() == 3)
        requests.start("familiar", is_familiar=True)
        until(lambda: requests.waiting(is_familiar=True) == 1)

    assert requests.join()[0] == "familiar"
    assert len(requests.done) == 4


def test_waiting_requests_are_refused_when_guessing_begins() -> None:
    guessing = threading.Event()
    with a_check_running(CheckQueue(guessing.is_set, 1)) as requests:
        for name in "abc":
            requests.start(name)
        until(lambda: requests.waiting() == 3)
        guessing.set()
        requests.start("d")  # its refusal wakes the others, as the end of a check does
        until(lambda: requests.waiting() == 1)

    assert sum("refused" in each for each in requests.join()) == 3


def test_time_out_of_a_familiar_address_lets_strangers_continue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = CheckQueue(lambda: False, 1)
    with a_check_running(queue) as requests:
        requests.start("stranger")
        until(lambda: requests.waiting() == 1)
        monkeypatch.setattr(check_queue, "WAIT_SECONDS", 0.01)
        requests.start("familiar", is_familiar=True)
        until(lambda: requests.done == ["familiar refused"])

    assert requests.join() == ["familiar refused", "stranger"]


@pytest.mark.parametrize("is_familiar", [False, True])
def test_failed_check_ends_its_turn(is_familiar: bool) -> None:
    queue = CheckQueue(lambda: True, 0)
    for _ in range(2):
        with pytest.raises(ValueError, match="wrong"), queue.turn(is_familiar=is_familiar):
            raise ValueError("wrong")
