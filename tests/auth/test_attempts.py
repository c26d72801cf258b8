"""Wrong passwords: who has to wait for them, who has not, and what is remembered of them."""

import threading
import time
import tracemalloc
from collections.abc import Callable

import pytest
from xcom_server.auth import passwords
from xcom_server.auth.passwords import (
    ATTEMPTS_BEFORE_BACKOFF,
    FAILURE_WINDOW_SECONDS,
    MAX_BACKOFF_SECONDS,
    MAX_PASSWORD_BYTES,
    VERIFIED_SECONDS,
    PasswordAuthenticator,
)
from xcom_server.auth.users import UsersFile
from xcom_server.errors import TooManyAttempts, Unauthenticated

from tests.support.passwords import (
    ELSEWHERE,
    HOME,
    Clock,
    CountingHasher,
    assert_refused,
    fail_until_one_waits,
    wait_for,
)

TOO_LONG = "x" * (MAX_PASSWORD_BYTES + 1)


@pytest.mark.parametrize("password", ["x", TOO_LONG])
@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_whoever_is_wrong_too_often_waits_twice_as_long_each_time(
    gate: PasswordAuthenticator, clock: Clock, name: str, password: str
) -> None:
    fail_until_one_waits(gate, name)

    waits = []
    for _ in range(9):
        waits.append(wait_for(gate, name, password))
        clock.now += waits[-1] - 0.01
        assert wait_for(gate, name, password) == 1
        clock.now += 0.01
        assert_refused(gate, name)

    assert waits == [1, 2, 4, 8, 16, 32, *[MAX_BACKOFF_SECONDS] * 3]


def test_whoever_waits_is_not_told_whether_the_password_is_right(
    gate: PasswordAuthenticator, clock: Clock, runs: Callable[[], int]
) -> None:
    fail_until_one_waits(gate)
    before = runs()

    assert wait_for(gate, "ann", "ann's") == wait_for(gate, "ann", "wrong") == 1
    assert runs() == before
    clock.now += 1
    assert gate.authenticate("ann", "ann's", HOME).name == "ann"


def test_whoever_keeps_on_for_days_still_waits(gate: PasswordAuthenticator, clock: Clock) -> None:
    for _ in range(1100):
        assert_refused(gate)
        clock.now += MAX_BACKOFF_SECONDS

    clock.now -= 1
    assert wait_for(gate) == 1


def test_nobody_else_is_made_to_wait(gate: PasswordAuthenticator) -> None:
    fail_until_one_waits(gate)

    assert gate.authenticate("ann", "ann's", ELSEWHERE).name == "ann"
    assert gate.authenticate("bob", "bob's", HOME).name == "bob"
    assert_refused(gate, "ann", address=ELSEWHERE)
    assert wait_for(gate) == 1


def test_a_remembered_password_is_never_made_to_wait(
    gate: PasswordAuthenticator, clock: Clock
) -> None:
    gate.authenticate("ann", "ann's", ELSEWHERE)
    fail_until_one_waits(gate)

    assert gate.authenticate("ann", "ann's", HOME).name == "ann"
    assert wait_for(gate) == 1
    clock.now += 0.5
    assert gate.authenticate("ann", "ann's", HOME).name == "ann"


def test_a_password_that_is_remembered_no_more_waits_like_any_other(
    gate: PasswordAuthenticator, clock: Clock
) -> None:
    gate.authenticate("ann", "ann's", ELSEWHERE)
    clock.now += VERIFIED_SECONDS
    fail_until_one_waits(gate)

    assert wait_for(gate, "ann", "ann's") == 1


def test_a_right_password_starts_the_count_anew(gate: PasswordAuthenticator, clock: Clock) -> None:
    for _ in range(3):
        for _ in range(ATTEMPTS_BEFORE_BACKOFF - 1):
            assert_refused(gate)
        clock.now += VERIFIED_SECONDS
        assert gate.authenticate("ann", "ann's", HOME).name == "ann"


def test_wrong_passwords_are_forgiven_in_time(gate: PasswordAuthenticator, clock: Clock) -> None:
    fail_until_one_waits(gate)
    clock.now += 1
    assert_refused(gate)
    clock.now += FAILURE_WINDOW_SECONDS - 1
    assert_refused(gate)
    assert wait_for(gate) == 4  # a second too early

    clock.now += FAILURE_WINDOW_SECONDS
    fail_until_one_waits(gate)
    assert wait_for(gate) == 1


def test_many_at_once_get_no_more_attempts_than_one(users: UsersFile) -> None:
    gate = PasswordAuthenticator(users)
    outcomes: list[type[Exception]] = []
    barrier = threading.Barrier(8)

    def guess() -> None:
        barrier.wait()
        for _ in range(4):
            try:
                gate.authenticate("ann", "wrong", HOME)
            except (Unauthenticated, TooManyAttempts) as error:
                outcomes.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count(Unauthenticated) == ATTEMPTS_BEFORE_BACKOFF
    assert outcomes.count(TooManyAttempts) == 32 - ATTEMPTS_BEFORE_BACKOFF


def test_a_request_that_waits_for_argon2_does_not_get_an_attempt_that_was_used_meanwhile(
    users: UsersFile, runs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request checks the count, and then waits for the first one's argon2 run.

    The clock, which is read when the count is checked, lets the first request go on.
    """
    monkeypatch.setattr(passwords, "HASH_LOCK_TIMEOUT_SECONDS", 60)
    in_argon2, second_has_checked = threading.Event(), threading.Event()
    second = threading.current_thread()

    class WaitingHasher(CountingHasher):
        def verify(  # type: ignore[override]
            self, hash: str | bytes, password: str | bytes
        ) -> bool:
            in_argon2.set()
            assert second_has_checked.wait(60)
            return super().verify(hash, password)

    def clock() -> float:
        if in_argon2.is_set() and threading.current_thread() is second:
            second_has_checked.set()
        return 1000

    gate = PasswordAuthenticator(users, clock)
    for _ in range(ATTEMPTS_BEFORE_BACKOFF - 1):
        assert_refused(gate)
    before = runs()
    monkeypatch.setattr(passwords, "_hasher", WaitingHasher())
    first = threading.Thread(target=assert_refused, args=(gate,))
    first.start()
    assert in_argon2.wait(60)

    waits = wait_for(gate)
    first.join()

    assert (waits, runs() - before) == (1, 1)


def test_a_request_waits_for_argon2_for_a_limited_time(
    gate: PasswordAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "HASH_LOCK_TIMEOUT_SECONDS", 0.01)
    in_argon2, done = threading.Event(), threading.Event()

    class StuckHasher(CountingHasher):
        def verify(  # type: ignore[override]
            self, hash: str | bytes, password: str | bytes
        ) -> bool:
            in_argon2.set()
            return not done.wait(60)

    monkeypatch.setattr(passwords, "_hasher", StuckHasher())
    first = threading.Thread(target=assert_refused, args=(gate,))
    first.start()
    assert in_argon2.wait(60)

    with pytest.raises(TooManyAttempts):
        gate.authenticate("bob", "bob's", ELSEWHERE)

    done.set()
    first.join()


def test_the_caches_are_used_by_one_thread_at_a_time(users: UsersFile) -> None:
    """A TTLCache calls the clock, and a second thread in it could stop its time for good."""
    calls: list[bool] = []
    in_use = threading.Lock()

    def clock() -> float:
        is_free = in_use.acquire(blocking=False)
        calls.append(is_free)
        time.sleep(0.001)
        if is_free:
            in_use.release()
        return 1000

    gate = PasswordAuthenticator(users, clock)
    gate.authenticate("ann", "ann's", HOME)

    def authenticate() -> None:
        for _ in range(10):
            gate.authenticate("ann", "ann's", HOME)
            assert_refused(gate, "nobody", TOO_LONG)

    threads = [threading.Thread(target=authenticate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls) > 40
    assert all(calls)


def test_who_was_wrong_is_remembered_of_the_last_ones_alone(
    make_gate: Callable[[], PasswordAuthenticator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MAX_CACHED", 3)  # two names, and their address
    gate = make_gate()
    fail_until_one_waits(gate, "bob")
    fail_until_one_waits(gate, "ann")
    assert wait_for(gate, "bob") == wait_for(gate, "ann") == 1

    assert_refused(gate, "nobody")

    assert wait_for(gate, "ann") == 1
    assert_refused(gate, "bob")


def test_right_passwords_are_remembered_of_the_last_ones_alone(
    make_gate: Callable[[], PasswordAuthenticator],
    runs: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "MAX_CACHED", 1)
    gate = make_gate()
    gate.authenticate("ann", "ann's", ELSEWHERE)
    gate.authenticate("bob", "bob's", ELSEWHERE)
    gate.authenticate("bob", "bob's", ELSEWHERE)
    assert runs() == 2

    gate.authenticate("ann", "ann's", ELSEWHERE)
    assert runs() == 3


def test_attempts_that_cost_nothing_wipe_out_no_memory_of_others(
    make_gate: Callable[[], PasswordAuthenticator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a burst of passwords that are not even checked would end every wait."""
    monkeypatch.setattr(passwords, "MAX_CACHED", 20)
    gate = make_gate()
    fail_until_one_waits(gate)

    for number in range(40):
        assert_refused(gate, f"nobody{number}", TOO_LONG)

    assert wait_for(gate) == 1


def test_long_names_take_no_more_memory_than_short_ones(gate: PasswordAuthenticator) -> None:
    """A body of /auth/token may hold a name of a megabyte, and who is wrong is remembered."""
    tracemalloc.start()
    try:
        for number in range(20):
            assert_refused(gate, f"{number}" + "x" * 1_000_000, TOO_LONG)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 1_000_000
