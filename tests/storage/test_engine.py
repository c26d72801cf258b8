"""A database that cannot be reached is told in a line, with what to do."""

import sys

import pytest

from app.storage.engine import DatabaseUnusable, opened


def test_a_driver_that_is_not_installed_is_named_with_what_brings_it(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(DatabaseUnusable, match=r"; pip install '\.\[postgres\]' brings it$"), \
            opened("postgresql://u@127.0.0.1:1/x"):
        pass


def test_a_database_that_does_not_answer_is_told_without_the_password() -> None:
    with pytest.raises(DatabaseUnusable) as error, opened("postgresql://u:hunter2@127.0.0.1:1/x"):
        pass

    assert "Connection refused" in str(error.value)
    assert "hunter2" not in str(error.value)
