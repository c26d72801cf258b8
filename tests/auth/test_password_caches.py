"""The caches of failures and of verified passwords: thread-safe, and limited in size."""

import threading
import time
import tracemalloc
from collections.abc import Callable

import pytest
from xcom_server.auth import attempts, passwords
from xcom_server.auth.passwords import (
    MAX_PASSWORD_BYTES,
    PasswordAuthenticator,
)
from xcom_server.auth.users import UsersFile

from tests.support.passwords import (
    ELSEWHERE,
    HOME,
    assert_refused,
    backoff_seconds,
    use_up_attempts,
)

TOO_LONG = "x" * (MAX_PASSWORD_BYTES + 1)


def test_caches_are_used_by_one_thread_at_a_time(users: UsersFile) -> None:
    """TTLCache is not thread-safe: a second thread could freeze its clock for ever."""
    calls: list[bool] = []
    in_use = threading.Lock()

    def clock() -> float:
        is_free = in_use.acquire(blocking=False)
        calls.append(is_free)
        time.sleep(0.001)
        if is_free:
            in_use.release()
        return 1000

    authenticator = PasswordAuthenticator(users, clock)
    authenticator.authenticate("ann", "ann's", HOME)

    def authenticate() -> None:
        for _ in range(10):
            authenticator.authenticate("ann", "ann's", HOME)
            assert_refused(authenticator, "nobody", TOO_LONG)

    threads = [threading.Thread(target=authenticate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls) > 40
    assert all(calls)


def test_only_the_latest_failures_are_kept(
    make_authenticator: Callable[[], PasswordAuthenticator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAX_COUNTED", 5)  # two users, at one address and together
    authenticator = make_authenticator()
    use_up_attempts(authenticator, "bob")
    use_up_attempts(authenticator, "ann")
    assert backoff_seconds(authenticator, "bob") == backoff_seconds(authenticator, "ann") == 1

    assert_refused(authenticator, "nobody")

    assert backoff_seconds(authenticator, "ann") == 1
    assert_refused(authenticator, "bob")


def test_only_the_latest_verified_passwords_are_cached(
    make_authenticator: Callable[[], PasswordAuthenticator],
    runs: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "MAX_VERIFIED", 1)
    authenticator = make_authenticator()
    authenticator.authenticate("ann", "ann's", ELSEWHERE)
    authenticator.authenticate("bob", "bob's", ELSEWHERE)
    authenticator.authenticate("bob", "bob's", ELSEWHERE)
    assert runs() == 2

    authenticator.authenticate("ann", "ann's", ELSEWHERE)
    assert runs() == 3


def test_unchecked_attempts_do_not_evict_failures(
    make_authenticator: Callable[[], PasswordAuthenticator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a burst of passwords that are never checked would end every back-off."""
    monkeypatch.setattr(attempts, "MAX_COUNTED", 20)
    authenticator = make_authenticator()
    use_up_attempts(authenticator)

    for number in range(40):
        assert_refused(authenticator, f"nobody{number}", TOO_LONG)

    assert backoff_seconds(authenticator) == 1


def test_long_names_use_no_more_memory_than_short_ones(
    authenticator: PasswordAuthenticator,
) -> None:
    """A request to /auth/token may hold a name of a megabyte, and its failure is stored."""
    tracemalloc.start()
    try:
        for number in range(20):
            assert_refused(authenticator, f"{number}" + "x" * 1_000_000, TOO_LONG)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 1_000_000
