"""A database that cannot be reached is told in a line, with what to do."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from xcom_server.errors import DatabaseUnusable
from xcom_server.storage.opening import connected_backend
from xcom_server.storage.sql import schema


def test_a_driver_that_is_not_installed_is_named_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with (
        pytest.raises(DatabaseUnusable, match=r"; install it with: pip install '\.\[postgres\]'$"),
        connected_backend("postgresql://u@127.0.0.1:1/x"),
    ):
        pass


def test_a_database_that_does_not_answer_is_told_without_the_password() -> None:
    with (
        pytest.raises(DatabaseUnusable) as error,
        connected_backend("postgresql://u:hunter2@127.0.0.1:1/x"),
    ):
        pass

    assert "Connection refused" in str(error.value)
    assert "hunter2" not in str(error.value)


def open_it(url: str) -> str:
    """Return what went wrong where a database is opened, if anything."""
    try:
        with connected_backend(url) as backend:
            schema.ensure_current(backend)
    except DatabaseUnusable as error:
        return str(error)
    return ""


def test_those_who_open_a_new_file_at_once_all_find_it_usable(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(open_it, [f"sqlite:///{tmp_path}/first.db"] * 8))  # until all have started
        for number in range(10):
            assert list(pool.map(open_it, [f"sqlite:///{tmp_path}/{number}.db"] * 4)) == [""] * 4
