"""Back-off after wrong passwords: when it applies, to whom, and how failures are stored."""

import threading
from collections.abc import Callable

import pytest
from xcom_server.auth import attempts, check_queue, passwords
from xcom_server.auth.attempts import (
    ATTEMPTS_BEFORE_BACKOFF,
    FAILURE_WINDOW_SECONDS,
    MAX_BACKOFF_SECONDS,
)
from xcom_server.auth.passwords import (
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
    backoff_seconds,
    use_up_attempts,
)

TOO_LONG = "x" * (MAX_PASSWORD_BYTES + 1)


@pytest.mark.parametrize("password", ["x", TOO_LONG])
@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_backoff_doubles_with_each_wrong_password(
    authenticator: PasswordAuthenticator, clock: Clock, name: str, password: str
) -> None:
    use_up_attempts(authenticator, name)

    waits = []
    for _ in range(9):
        waits.append(backoff_seconds(authenticator, name, password))
        clock.now += waits[-1] - 0.01
        assert backoff_seconds(authenticator, name, password) == 1
        clock.now += 0.01
        assert_refused(authenticator, name)

    assert waits == [1, 2, 4, 8, 16, 32, *[MAX_BACKOFF_SECONDS] * 3]


def test_backoff_does_not_reveal_whether_a_password_is_right(
    authenticator: PasswordAuthenticator, clock: Clock, runs: Callable[[], int]
) -> None:
    use_up_attempts(authenticator)
    before = runs()

    assert (
        backoff_seconds(authenticator, "ann", "ann's")
        == backoff_seconds(authenticator, "ann", "wrong")
        == 1
    )
    assert runs() == before
    clock.now += 1
    assert authenticator.authenticate("ann", "ann's", HOME).name == "ann"


def test_backoff_still_applies_after_a_thousand_failures(
    authenticator: PasswordAuthenticator, clock: Clock
) -> None:
    for _ in range(1100):
        assert_refused(authenticator)
        clock.now += MAX_BACKOFF_SECONDS

    clock.now -= 1
    assert backoff_seconds(authenticator) == 1


def test_backoff_applies_to_one_user_at_one_address(authenticator: PasswordAuthenticator) -> None:
    use_up_attempts(authenticator)

    assert authenticator.authenticate("ann", "ann's", ELSEWHERE).name == "ann"
    assert authenticator.authenticate("bob", "bob's", HOME).name == "bob"
    assert_refused(authenticator, "ann", address=ELSEWHERE)
    assert backoff_seconds(authenticator) == 1


def test_cached_password_is_accepted_during_backoff(
    authenticator: PasswordAuthenticator, clock: Clock
) -> None:
    authenticator.authenticate("ann", "ann's", ELSEWHERE)
    use_up_attempts(authenticator)

    assert authenticator.authenticate("ann", "ann's", HOME).name == "ann"
    assert backoff_seconds(authenticator) == 1
    clock.now += 0.5
    assert authenticator.authenticate("ann", "ann's", HOME).name == "ann"


def test_expired_cached_password_is_subject_to_backoff(
    authenticator: PasswordAuthenticator, clock: Clock
) -> None:
    authenticator.authenticate("ann", "ann's", ELSEWHERE)
    clock.now += VERIFIED_SECONDS
    use_up_attempts(authenticator)

    assert backoff_seconds(authenticator, "ann", "ann's") == 1


def test_right_password_resets_the_failure_count(
    authenticator: PasswordAuthenticator, clock: Clock
) -> None:
    for _ in range(3):
        for _ in range(ATTEMPTS_BEFORE_BACKOFF - 1):
            assert_refused(authenticator)
        clock.now += VERIFIED_SECONDS
        assert authenticator.authenticate("ann", "ann's", HOME).name == "ann"


def test_failures_expire_after_the_window(
    authenticator: PasswordAuthenticator, clock: Clock
) -> None:
    use_up_attempts(authenticator)
    clock.now += 1
    assert_refused(authenticator)
    clock.now += FAILURE_WINDOW_SECONDS - 1
    assert_refused(authenticator)
    assert backoff_seconds(authenticator) == 4  # one second before the failures expire

    clock.now += FAILURE_WINDOW_SECONDS
    use_up_attempts(authenticator)
    assert backoff_seconds(authenticator) == 1


def test_concurrent_requests_share_the_allowed_attempts(
    users: UsersFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "GUESSING_SECONDS", 0)  # so that all requests wait for argon2
    monkeypatch.setattr(check_queue, "WAIT_SECONDS", 60)
    authenticator = PasswordAuthenticator(users)
    outcomes: list[type[Exception]] = []
    barrier = threading.Barrier(8)

    def guess() -> None:
        barrier.wait()
        for _ in range(4):
            try:
                authenticator.authenticate("ann", "wrong", HOME)
            except (Unauthenticated, TooManyAttempts) as error:
                outcomes.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count(Unauthenticated) == ATTEMPTS_BEFORE_BACKOFF
    assert outcomes.count(TooManyAttempts) == 32 - ATTEMPTS_BEFORE_BACKOFF


def test_attempts_are_checked_again_after_waiting_for_argon2(
    users: UsersFile, runs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request checks the count, then waits for the argon2 run of the first.

    The clock is read when the count is checked, and then lets the first request continue.
    """
    monkeypatch.setattr(check_queue, "WAIT_SECONDS", 60)
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

    authenticator = PasswordAuthenticator(users, clock)
    for _ in range(ATTEMPTS_BEFORE_BACKOFF - 1):
        assert_refused(authenticator)
    before = runs()
    monkeypatch.setattr(passwords, "_hasher", WaitingHasher())
    first = threading.Thread(target=assert_refused, args=(authenticator,))
    first.start()
    assert in_argon2.wait(60)

    waits = backoff_seconds(authenticator)
    first.join()

    assert (waits, runs() - before) == (1, 1)


def test_wait_for_argon2_is_limited(
    authenticator: PasswordAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_queue, "WAIT_SECONDS", 0.01)
    in_argon2, done = threading.Event(), threading.Event()

    class StuckHasher(CountingHasher):
        def verify(  # type: ignore[override]
            self, hash: str | bytes, password: str | bytes
        ) -> bool:
            in_argon2.set()
            return not done.wait(60)

    monkeypatch.setattr(passwords, "_hasher", StuckHasher())
    first = threading.Thread(target=assert_refused, args=(authenticator,))
    first.start()
    assert in_argon2.wait(60)

    with pytest.raises(TooManyAttempts):
        authenticator.authenticate("bob", "bob's", ELSEWHERE)

    done.set()
    first.join()
