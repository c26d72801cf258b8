"""Passwords: verified ones are cached for a while, wrong ones cost more and more time."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from xcom_server.auth.passwords import (
    ADDRESS_ATTEMPTS_BEFORE_BACKOFF,
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
    fail_until_one_waits,
)


def test_a_right_password_tells_who_it_is(gate: PasswordAuthenticator) -> None:
    assert gate.authenticate("ann", "ann's", HOME).name == "ann"
    assert gate.authenticate("bob", "bob's", HOME).role is Role.OP


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
def test_anything_else_tells_nobody(gate: PasswordAuthenticator, name: str, password: str) -> None:
    for _ in range(2):
        assert_refused(gate, name, password)


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
def test_a_password_may_be_any_text(path: Path, clock: Clock, password: str) -> None:
    write(path, {"eve": User("eve", Role.USER, CHEAP.hash(password))})
    gate = PasswordAuthenticator(UsersFile(path), clock)

    for _ in range(2):
        assert gate.authenticate("eve", password, HOME).name == "eve"
        assert_refused(gate, "eve", password[:-1] + "?")


def test_a_new_hash_is_salted_argon2id() -> None:
    one, two = hash_password("secret"), hash_password("secret")

    assert one.startswith("$argon2id$")
    assert one != two
    assert PasswordHasher().verify(one, "secret")


def test_a_right_password_is_checked_once_and_remembered_for_a_while(
    gate: PasswordAuthenticator, clock: Clock, runs: Callable[[], int]
) -> None:
    for address in (HOME, HOME, ELSEWHERE):
        gate.authenticate("ann", "ann's", address)
    assert runs() == 1

    clock.now += VERIFIED_SECONDS - 0.1
    gate.authenticate("ann", "ann's", HOME)
    assert runs() == 1
    clock.now += 0.1
    gate.authenticate("ann", "ann's", HOME)
    assert runs() == 2


def test_those_who_bring_the_same_right_password_at_once_are_let_in_by_one_check(
    gate: PasswordAuthenticator, runs: Callable[[], int]
) -> None:
    barrier = threading.Barrier(8)
    let_in: list[str] = []

    def come() -> None:
        barrier.wait()
        let_in.append(gate.authenticate("ann", "ann's", HOME).name)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert let_in == ["ann"] * 8
    assert runs() == 1


def test_using_a_remembered_password_does_not_make_it_last(
    gate: PasswordAuthenticator, clock: Clock, runs: Callable[[], int]
) -> None:
    for _ in range(4):
        gate.authenticate("ann", "ann's", HOME)
        clock.now += VERIFIED_SECONDS / 3

    assert runs() == 2


def test_a_remembered_password_is_one_users_alone(path: Path, clock: Clock) -> None:
    same = CHEAP.hash("same")
    write(path, {"a": User("a", Role.OP, same), "ab": User("ab", Role.OP, CHEAP.hash("other"))})
    gate = PasswordAuthenticator(UsersFile(path), clock)
    gate.authenticate("a", "same", HOME)

    assert_refused(gate, "ab", "same")
    assert_refused(gate, "a", "sam")
    assert_refused(gate, "asame", "")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write(path, {"ann": User("ann", Role.VIEWER, CHEAP.hash("new"))}),
        lambda path: write(path, {"bob": User("bob", Role.VIEWER, CHEAP.hash("bob's"))}),
        lambda path: write(path, {}),
    ],
)
def test_an_old_password_is_no_good_at_once(
    path: Path, gate: PasswordAuthenticator, change: Callable[[Path], None]
) -> None:
    gate.authenticate("ann", "ann's", HOME)

    change(path)

    assert_refused(gate, "ann", "ann's")


def test_a_remembered_password_gives_the_role_that_the_file_has_now(
    path: Path, gate: PasswordAuthenticator
) -> None:
    ann = gate.authenticate("ann", "ann's", HOME)

    write(path, {"ann": User("ann", Role.PUBLIC, ann.password_hash, frozenset())})

    assert gate.authenticate("ann", "ann's", HOME) == User(
        "ann", Role.PUBLIC, ann.password_hash, frozenset()
    )


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_a_wrong_password_costs_an_argon2_run_whoever_it_is_for(
    gate: PasswordAuthenticator, runs: Callable[[], int], name: str
) -> None:
    for expected in (1, 2, 3):
        assert_refused(gate, name)
        assert runs() == expected


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_a_password_that_is_too_long_is_refused_without_an_argon2_run(
    gate: PasswordAuthenticator, runs: Callable[[], int], name: str
) -> None:
    for password in ("x" * (MAX_PASSWORD_BYTES + 1), "ü" * (MAX_PASSWORD_BYTES // 2 + 1)):
        assert_refused(gate, name, password)

    assert runs() == 0


def test_only_a_name_that_is_too_long_is_refused_without_an_argon2_run(
    gate: PasswordAuthenticator, runs: Callable[[], int]
) -> None:
    assert_refused(gate, "x" * MAX_NAME_LENGTH)
    assert runs() == 1

    assert_refused(gate, "x" * (MAX_NAME_LENGTH + 1))
    assert runs() == 1


def test_names_and_passwords_that_are_too_long_use_up_no_attempts(
    gate: PasswordAuthenticator,
) -> None:
    for _ in range(ADDRESS_ATTEMPTS_BEFORE_BACKOFF + 1):
        assert_refused(gate, "x" * (MAX_NAME_LENGTH + 1))
        assert_refused(gate, "ann", "x" * (MAX_PASSWORD_BYTES + 1))

    fail_until_one_waits(gate)
