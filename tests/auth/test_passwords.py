"""Passwords: how they are verified, cached and rejected."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from xcom_server.auth.attempts import ADDRESS_ATTEMPTS_BEFORE_BACKOFF
from xcom_server.auth.passwords import (
    MAX_PASSWORD_BYTES,
    VERIFIED_SECONDS,
    PasswordAuthenticator,
    hash_password,
)
from xcom_server.auth.users import MAX_NAME_LENGTH, Role, User, UsersFile, write

from tests.support.passwords import (
    CHEAP,
    ELSEWHERE,
    HOME,
    Clock,
    assert_refused,
    use_up_attempts,
)


def test_right_password_returns_the_user(authenticator: PasswordAuthenticator) -> None:
    assert authenticator.authenticate("ann", "ann's", HOME).name == "ann"
    assert authenticator.authenticate("bob", "bob's", HOME).role is Role.OP


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ann", "bob's"),
        ("ann", ""),
        ("ann", "ann's "),
        ("ann", "Ann's"),
        ("ANN", "ann's"),
        ("nobody", "ann's"),
        ("", ""),
        ("", "ann's"),
        ("ann\0", "ann's"),
        ("ann", "ann's\0"),
        ("ann:", "x"),
        ("ann", "a:b"),
        ("Ünal", "鍵🙂"),
        ("\ud800", "x"),
        ("ann", "\ud800"),
        ("nobody", "\ud800"),
        ("x" * 10_000, "x"),
    ],
)
def test_wrong_credentials_are_rejected(
    authenticator: PasswordAuthenticator, name: str, password: str
) -> None:
    for _ in range(2):
        assert_refused(authenticator, name, password)


@pytest.mark.parametrize(
    "password",
    [
        "x",
        "a:b",
        " ä ",
        "鍵🙂",
        "nul\0nul",
        "x" * MAX_PASSWORD_BYTES,
        "ü" * (MAX_PASSWORD_BYTES // 2),
    ],
)
def test_password_may_be_any_text(path: Path, clock: Clock, password: str) -> None:
    write(path, {"eve": User("eve", Role.USER, CHEAP.hash(password))})
    authenticator = PasswordAuthenticator(UsersFile(path), clock)

    for _ in range(2):
        assert authenticator.authenticate("eve", password, HOME).name == "eve"
        assert_refused(authenticator, "eve", password[:-1] + "?")


def test_new_hash_is_salted_argon2id() -> None:
    one, two = hash_password("secret"), hash_password("secret")

    assert one.startswith("$argon2id$")
    assert one != two
    assert PasswordHasher().verify(one, "secret")


def test_verified_password_is_cached_until_it_expires(
    authenticator: PasswordAuthenticator, clock: Clock, runs: Callable[[], int]
) -> None:
    for address in (HOME, HOME, ELSEWHERE):
        authenticator.authenticate("ann", "ann's", address)
    assert runs() == 1

    clock.now += VERIFIED_SECONDS - 0.1
    authenticator.authenticate("ann", "ann's", HOME)
    assert runs() == 1
    clock.now += 0.1
    authenticator.authenticate("ann", "ann's", HOME)
    assert runs() == 2


def test_concurrent_logins_share_one_hash_check(
    authenticator: PasswordAuthenticator, runs: Callable[[], int]
) -> None:
    barrier = threading.Barrier(8)
    authenticated: list[str] = []

    def authenticate() -> None:
        barrier.wait()
        authenticated.append(authenticator.authenticate("ann", "ann's", HOME).name)

    threads = [threading.Thread(target=authenticate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert authenticated == ["ann"] * 8
    assert runs() == 1


def test_using_a_cached_password_does_not_extend_it(
    authenticator: PasswordAuthenticator, clock: Clock, runs: Callable[[], int]
) -> None:
    for _ in range(4):
        authenticator.authenticate("ann", "ann's", HOME)
        clock.now += VERIFIED_SECONDS / 3

    assert runs() == 2


def test_cached_password_is_only_valid_for_its_user(path: Path, clock: Clock) -> None:
    same = CHEAP.hash("same")
    write(path, {"a": User("a", Role.OP, same), "ab": User("ab", Role.OP, CHEAP.hash("other"))})
    authenticator = PasswordAuthenticator(UsersFile(path), clock)
    authenticator.authenticate("a", "same", HOME)

    assert_refused(authenticator, "ab", "same")
    assert_refused(authenticator, "a", "sam")
    assert_refused(authenticator, "asame", "")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write(path, {"ann": User("ann", Role.VIEWER, CHEAP.hash("new"))}),
        lambda path: write(path, {"bob": User("bob", Role.VIEWER, CHEAP.hash("bob's"))}),
        lambda path: write(path, {}),
    ],
    ids=["new password", "user removed", "all users removed"],
)
def test_changed_password_is_rejected_at_once(
    path: Path, authenticator: PasswordAuthenticator, change: Callable[[Path], None]
) -> None:
    authenticator.authenticate("ann", "ann's", HOME)

    change(path)

    assert_refused(authenticator, "ann", "ann's")


def test_cached_password_returns_the_current_role(
    path: Path, authenticator: PasswordAuthenticator
) -> None:
    ann = authenticator.authenticate("ann", "ann's", HOME)

    write(path, {"ann": User("ann", Role.PUBLIC, ann.password_hash, frozenset())})

    assert authenticator.authenticate("ann", "ann's", HOME) == User(
        "ann", Role.PUBLIC, ann.password_hash, frozenset()
    )


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_wrong_password_costs_an_argon2_run_for_any_user(
    authenticator: PasswordAuthenticator, runs: Callable[[], int], name: str
) -> None:
    for expected in (1, 2, 3):
        assert_refused(authenticator, name)
        assert runs() == expected


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_too_long_password_is_rejected_without_an_argon2_run(
    authenticator: PasswordAuthenticator, runs: Callable[[], int], name: str
) -> None:
    for password in ("x" * (MAX_PASSWORD_BYTES + 1), "ü" * (MAX_PASSWORD_BYTES // 2 + 1)):
        assert_refused(authenticator, name, password)

    assert runs() == 0


def test_only_too_long_name_is_rejected_without_an_argon2_run(
    authenticator: PasswordAuthenticator, runs: Callable[[], int]
) -> None:
    assert_refused(authenticator, "x" * MAX_NAME_LENGTH)
    assert runs() == 1

    assert_refused(authenticator, "x" * (MAX_NAME_LENGTH + 1))
    assert runs() == 1


def test_too_long_names_and_passwords_use_up_no_attempts(
    authenticator: PasswordAuthenticator,
) -> None:
    for _ in range(ADDRESS_ATTEMPTS_BEFORE_BACKOFF + 1):
        assert_refused(authenticator, "x" * (MAX_NAME_LENGTH + 1))
        assert_refused(authenticator, "ann", "x" * (MAX_PASSWORD_BYTES + 1))

    use_up_attempts(authenticator)
