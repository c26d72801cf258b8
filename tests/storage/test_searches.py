"""Slow searches leave threads to other requests."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest
from xcom_server.errors import Unavailable
from xcom_server.storage.database import searches
from xcom_server.storage.database.searches import Searches
from xcom_server.storage.queries import Comparison, Filter
from xcom_server.storage.sql.listing import is_search

from tests.support.waiting import until

LONG = 60.0


def running(found: Searches, finish: Event) -> None:
    with found.one():
        finish.wait(LONG)


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (4, 2), (5, 2), (16, 8)])
def test_further_searches_fail_while_slow_ones_have_half_of_the_threads(
    threads: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "SLOW_SECONDS", 0.05)
    found, finish = Searches(threads, LONG), Event()
    with ThreadPoolExecutor(at_once) as pool:
        started = [pool.submit(running, found, finish) for _ in range(at_once)]
        until(lambda: len(found._starts) == at_once)
        with pytest.raises(Unavailable, match="Too many slow searches"), found.one():
            pass
        finish.set()
        for each in started:
            each.result()

    with found.one():
        pass


def test_quick_searches_wait_for_each_other() -> None:
    found, most = Searches(2, LONG), []

    def search() -> None:
        with found.one():
            most.append(len(found._starts))
            time.sleep(0.01)

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(search) for _ in range(20)]:
            each.result()

    assert most == [1] * 20


def test_wait_for_a_search_that_is_not_slow_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "SLOW_SECONDS", LONG)
    found, finish = Searches(1, 0.05), Event()
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        pool.submit(running, found, finish)
        stack.callback(finish.set)
        until(lambda: found._starts)
        with pytest.raises(Unavailable), found.one():
            pass


def test_failed_search_frees_its_place() -> None:
    found = Searches(1, 0.05)
    with pytest.raises(ValueError, match="failed"), found.one():
        raise ValueError("failed")

    with found.one():
        pass


@pytest.mark.parametrize(
    ("operator", "expected"), [("like", True), ("contains", True), ("gte", False)]
)
def test_only_comparisons_with_a_pattern_make_a_search(operator: str, expected: bool) -> None:
    condition: Callable[..., Comparison] = Comparison
    filter_ = Filter.of(conditions=(((condition("key", operator, "x"),),),))

    assert is_search(filter_) is expected
    assert not is_search(Filter.of("d", key="k"))
