"""Opening a database: errors are one line that shows what to do."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from xcom_server.errors import DatabaseUnusable
from xcom_server.storage.opening import connected_backend
from xcom_server.storage.sql import schema


def test_error_for_a_missing_driver_shows_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with (
        pytest.raises(DatabaseUnusable, match=r"; install it with: pip install '\.\[postgres\]'$"),
        connected_backend("postgresql://u@127.0.0.1:1/x", "read"),
    ):
        pass


def test_connection_error_does_not_show_the_password() -> None:
    with (
        pytest.raises(DatabaseUnusable) as error,
        connected_backend("postgresql://u:hunter2@127.0.0.1:1/x", "read"),
    ):
        pass

    assert "Connection refused" in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nope/x.db", "its folder does not exist"), ("", "the file cannot be opened")],
)
def test_error_for_a_file_that_cannot_be_opened_contains_its_path(
    tmp_path: Path, name: str, reason: str
) -> None:
    path = tmp_path / name

    assert open_error(f"sqlite:///{path}") == (
        f"XCOM_DATABASE_URL cannot be used: {path}: {reason}"
    )


def open_error(url: str) -> str:
    """Open a database and return the error, or an empty string."""
    try:
        with connected_backend(url, "create") as backend:
            schema.ensure_current(backend)
    except DatabaseUnusable as error:
        return str(error)
    return ""


def test_concurrent_processes_can_open_a_new_file(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(open_error, [f"sqlite:///{tmp_path}/first.db"] * 8))  # starts all processes
        for number in range(10):
            assert list(pool.map(open_error, [f"sqlite:///{tmp_path}/{number}.db"] * 4)) == [""] * 4
