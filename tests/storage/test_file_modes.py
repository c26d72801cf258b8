"""Who can use the files of an SQLite database: only its owner, unless the operator changed that."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from xcom_server.errors import DatabaseUnusable
from xcom_server.storage.models import XComKey
from xcom_server.storage.opening import connected_backend, connected_store, exposures

from tests.support.stores import OpenBackend

NAME = XComKey("d", "r", "t", -1, "k")


@pytest.fixture(autouse=True, params=[0o022, 0o077, 0o000], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a database in a folder that only its owner can change."""
    tmp_path.chmod(0o755)
    return tmp_path / "xcom.db"


def modes(path: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}


def write(path: Path) -> dict[str, int]:
    """Write an entry, and return the modes of the files while the database is open."""
    with connected_store(f"sqlite:///{path}", "create") as store:
        store.create(NAME, "1")
        return modes(path)


def test_new_files_are_only_for_their_owner(path: Path) -> None:
    suffixes = ("", "-wal", "-shm", "-queue", "-turn")

    assert write(path) == {f"xcom.db{suffix}": 0o600 for suffix in suffixes}
    assert exposures(f"sqlite:///{path}") == []


def test_access_of_a_group_is_kept(path: Path) -> None:
    path.touch()
    path.chmod(0o660)

    assert {*write(path).values()} == {0o660}
    assert exposures(f"sqlite:///{path}") == []


@pytest.mark.parametrize(
    ("mode", "level", "words"),
    [
        (0o644, 30, "Every local user can read {} and block it (mode 0644). Run: chmod o-rwx {}*"),
        (0o666, 40, "Every local user can change {} (mode 0666). Run: chmod o-rwx {}*"),
    ],
    ids=["read", "write"],
)
def test_access_of_all_users_is_reported(path: Path, mode: int, level: int, words: str) -> None:
    path.touch()
    path.chmod(mode)
    write(path)

    assert exposures(f"sqlite:///{path}") == [(level, words.format(path, path))]
    assert path.stat().st_mode & 0o777 == mode


def test_folder_in_which_all_users_can_replace_the_file_is_reported(path: Path) -> None:
    write(path)
    path.parent.chmod(0o777)

    assert exposures(f"sqlite:///{path}") == [
        (
            40,
            f"Another user can replace {path}: move it to a folder that only its owner can change.",
        )
    ]
    path.parent.chmod(0o1777)
    assert exposures(f"sqlite:///{path}") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_file_of_another_user_in_a_shared_folder_is_reported(path: Path) -> None:
    write(path)
    os.chown(path, 65534, -1)
    path.parent.chmod(0o1777)

    assert [level for level, _ in exposures(f"sqlite:///{path}")] == [40]


def test_missing_file_and_memory_expose_nothing(path: Path, open_backend: OpenBackend) -> None:
    assert exposures(f"sqlite:///{path}") == exposures("sqlite://") == []


def test_planted_lock_file_is_one_line(path: Path) -> None:
    path.with_name("xcom.db-turn").symlink_to("/dev/null")

    with pytest.raises(DatabaseUnusable) as error, connected_backend(f"sqlite:///{path}", "create"):
        pass

    assert str(error.value) == (
        f"XCOM_DATABASE_URL cannot be used: [Errno 40] Too many levels of symbolic links:"
        f" '{path}-turn'"
    )
