"""Guesses from many addresses: slow for one user, who can log in meanwhile."""

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from xcom_server.auth import attempts, check_queue, passwords
from xcom_server.auth.attempts import (
    ATTEMPTS_BEFORE_BACKOFF,
    FAILURE_WINDOW_SECONDS,
    GUESSING_FAILURES,
    GUESSING_SECONDS,
    USER_ATTEMPTS_BEFORE_PAUSE,
    USER_PAUSE_SECONDS,
    Attempts,
    network_of,
)
from xcom_server.auth.passwords import VERIFIED_SECONDS, PasswordAuthenticator
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
from tests.support.waiting import until


@pytest.fixture
def fresh() -> Iterator[str]:
    """Return addresses, none of which is used twice."""
    return (f"198.18.{number // 256}.{number % 256}" for number in count())


@pytest.fixture
def guess(
    authenticator: PasswordAuthenticator, fresh: Iterator[str]
) -> Callable[..., type[Exception]]:
    """Return a function that sends a wrong password from a fresh address."""

    def guess(name: str = "ann") -> type[Exception]:
        with pytest.raises((Unauthenticated, TooManyAttempts)) as error:
            authenticator.authenticate(name, "wrong", next(fresh))
        return error.type

    return guess


@pytest.fixture
def used_up(guess: Callable[..., type[Exception]]) -> None:
    """Send as many wrong passwords for ann, each from another address, as are not limited."""
    assert [guess() for _ in range(USER_ATTEMPTS_BEFORE_PAUSE)] == (
        [Unauthenticated] * USER_ATTEMPTS_BEFORE_PAUSE
    )


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_guesses_from_fresh_addresses_are_spaced(
    authenticator: PasswordAuthenticator, clock: Clock, fresh: Iterator[str], name: str
) -> None:
    for _ in range(USER_ATTEMPTS_BEFORE_PAUSE):
        assert_refused(authenticator, name, address=next(fresh))

    for _ in range(3):
        assert backoff_seconds(authenticator, name, address=next(fresh)) == USER_PAUSE_SECONDS
        clock.now += USER_PAUSE_SECONDS
        assert_refused(authenticator, name, address=next(fresh))


@pytest.mark.usefixtures("used_up")
def test_right_password_from_a_new_address_is_accepted_after_one_pause(
    authenticator: PasswordAuthenticator, clock: Clock, guess: Callable[..., type[Exception]]
) -> None:
    """Continuous guesses from fresh addresses do not keep the user out."""
    seconds = backoff_seconds(authenticator, "ann", "ann's")

    outcomes = []
    for _ in range(seconds * 64):
        clock.now += 1 / 64
        outcomes.append(guess())

    assert authenticator.authenticate("ann", "ann's", HOME).name == "ann"
    assert outcomes.count(Unauthenticated) == 1


@pytest.mark.usefixtures("used_up")
def test_familiar_address_is_not_limited_by_the_guesses_of_others(
    authenticator: PasswordAuthenticator, clock: Clock, guess: Callable[..., type[Exception]]
) -> None:
    backoff_seconds(authenticator, "ann", "ann's")
    clock.now += USER_PAUSE_SECONDS
    authenticator.authenticate("ann", "ann's", HOME)
    for _ in range(3):
        clock.now += VERIFIED_SECONDS
        guess()
        assert guess() is TooManyAttempts

        assert_refused(authenticator, "ann")  # a wrong password is still checked there
        assert authenticator.authenticate("ann", "ann's", HOME).name == "ann"
        assert guess() is TooManyAttempts


@pytest.mark.usefixtures("used_up")
def test_other_users_are_not_limited(
    authenticator: PasswordAuthenticator, guess: Callable[..., type[Exception]]
) -> None:
    assert guess() is TooManyAttempts

    assert guess("bob") is Unauthenticated
    assert authenticator.authenticate("bob", "bob's", ELSEWHERE).name == "bob"


@pytest.mark.usefixtures("used_up")
def test_address_that_has_waited_gets_one_check(
    authenticator: PasswordAuthenticator, clock: Clock, guess: Callable[..., type[Exception]]
) -> None:
    assert backoff_seconds(authenticator, address=HOME) == USER_PAUSE_SECONDS
    clock.now += USER_PAUSE_SECONDS / 2
    assert backoff_seconds(authenticator, address=HOME) == USER_PAUSE_SECONDS / 2
    assert backoff_seconds(authenticator, address=ELSEWHERE) == USER_PAUSE_SECONDS
    clock.now += USER_PAUSE_SECONDS
    assert guess() is Unauthenticated  # the check of this pause for addresses that have not waited

    assert_refused(authenticator, address=HOME)

    assert backoff_seconds(authenticator, address=HOME) == USER_PAUSE_SECONDS
    # The check of HOME occupies this pause, and ELSEWHERE keeps its place.
    assert backoff_seconds(authenticator, address=ELSEWHERE) == USER_PAUSE_SECONDS
    clock.now += USER_PAUSE_SECONDS
    assert authenticator.authenticate("ann", "ann's", ELSEWHERE).name == "ann"


def test_addresses_that_wait_do_not_raise_the_rate(
    authenticator: PasswordAuthenticator, clock: Clock
) -> None:
    """A botnet that heeds Retry-After gets two checks for each pause: one without waiting."""
    checks = 0
    for _ in range(300):
        for number in range(50):
            try:
                authenticator.authenticate("ann", "wrong", f"192.0.2.{number}")
            except Unauthenticated:
                checks += 1
            except TooManyAttempts:
                continue
        clock.now += 1

    assert checks <= USER_ATTEMPTS_BEFORE_PAUSE + 2 * (300 / USER_PAUSE_SECONDS + 1)


@pytest.mark.usefixtures("used_up")
def test_limit_of_a_user_ends_after_the_window(
    clock: Clock, guess: Callable[..., type[Exception]]
) -> None:
    clock.now += FAILURE_WINDOW_SECONDS

    assert [guess() for _ in range(2)] == [Unauthenticated] * 2


@pytest.mark.usefixtures("used_up")
def test_login_of_the_user_does_not_reset_the_limit(
    authenticator: PasswordAuthenticator, clock: Clock, guess: Callable[..., type[Exception]]
) -> None:
    """Otherwise a user who logs in often would give each time another hundred guesses away."""
    clock.now += USER_PAUSE_SECONDS
    authenticator.authenticate("ann", "ann's", HOME)
    guess()

    assert guess() is TooManyAttempts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ("fe80::1%eth0", "fe80::2"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("2001:DB8::1", "2001:0db8:0:0::2"),
    ],
)
def test_addresses_of_one_client_are_counted_together(
    authenticator: PasswordAuthenticator, one: str, other: str
) -> None:
    use_up_attempts(authenticator, address=one)

    assert backoff_seconds(authenticator, address=other) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("", "192.0.2.1"),
        ("a text", "another text"),
    ],
)
def test_other_addresses_are_counted_apart(
    authenticator: PasswordAuthenticator, one: str, other: str
) -> None:
    use_up_attempts(authenticator, address=one)

    assert_refused(authenticator, address=other)


def test_network_is_an_ipv4_address_or_a_64_bit_prefix() -> None:
    assert network_of("192.0.2.1") == network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"


def test_guesses_from_one_ipv6_network_wait_although_each_has_another_address(
    authenticator: PasswordAuthenticator,
) -> None:
    for number in range(ATTEMPTS_BEFORE_BACKOFF):
        assert_refused(authenticator, address=f"2001:db8::{number:x}")

    assert backoff_seconds(authenticator, address="2001:db8::ffff") == 1


def test_address_that_waits_gets_a_check_although_more_are_refused_than_a_table_has(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(attempts, "MAX_COUNTED", 500)
    counts = Attempts(clock)
    for number in range(USER_ATTEMPTS_BEFORE_PAUSE):
        counts.record_failure("ann", f"192.0.2.{number}")

    refused = 0
    while _is_refused(counts, HOME):
        refused += 1
        assert refused < 50, "each time, the table keeps the address with a chance of 0.3"
        assert all(_is_refused(counts, f"{refused}.{number}") for number in range(600))
        clock.now += USER_PAUSE_SECONDS
        counts.record_failure("ann", f"fresh {refused}")

    assert refused >= 1


def _is_refused(counts: Attempts, network: str) -> bool:
    try:
        counts.refuse_blocked("ann", network)
    except TooManyAttempts:
        return True
    return False


@pytest.mark.usefixtures("used_up")
def test_address_waits_again_if_it_comes_back_after_the_window(
    authenticator: PasswordAuthenticator, clock: Clock, guess: Callable[..., type[Exception]]
) -> None:
    assert backoff_seconds(authenticator, address=HOME) == USER_PAUSE_SECONDS
    for _ in range(2):
        clock.now += FAILURE_WINDOW_SECONDS / 2
        assert guess() is Unauthenticated

    assert backoff_seconds(authenticator, address=HOME) == USER_PAUSE_SECONDS


def test_tables_have_a_maximum_size_whatever_clients_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "MAX_COUNTED", 500)
    counts = Attempts(lambda: 1000.0)
    tracemalloc.start()
    try:
        for number in range(1000):
            name = f"{number}" + "🙂" * 240
            counts.refuse_blocked(name, f"198.18.0.{number}")
            counts.record_failure(name, f"198.18.0.{number}")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 3 * 500 * 400  # bytes, in three tables


@pytest.mark.parametrize(("strangers", "held"), [(0, 1), (1, 2)])
def test_guesses_hold_few_threads_once_some_were_wrong(
    users: UsersFile,
    fresh: Iterator[str],
    monkeypatch: pytest.MonkeyPatch,
    strangers: int,
    held: int,
) -> None:
    monkeypatch.setattr(check_queue, "WAIT_SECONDS", 60)
    authenticator = PasswordAuthenticator(users, strangers=strangers)
    for _ in range(GUESSING_FAILURES):
        assert_refused(authenticator, address=next(fresh))
    done, refused = threading.Event(), []

    class StuckHasher(CountingHasher):
        def verify(  # type: ignore[override]
            self, hash: str | bytes, password: str | bytes
        ) -> bool:
            return not done.wait(60)

    def guess(address: str) -> None:
        try:
            authenticator.authenticate("ann", "wrong", address)
        except TooManyAttempts:
            refused.append(address)
        except Unauthenticated:
            return

    monkeypatch.setattr(passwords, "_hasher", StuckHasher())
    threads = [threading.Thread(target=guess, args=(next(fresh),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(refused) == 20 - held)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_guessing_ends_after_some_seconds(clock: Clock) -> None:
    counts = Attempts(clock)
    for number in range(GUESSING_FAILURES):
        assert not counts.is_guessing()
        counts.record_failure("ann", f"192.0.2.{number}")

    assert counts.is_guessing()
    clock.now += GUESSING_SECONDS
    assert not counts.is_guessing()
