"""Warnings about a users file or a key that other users of the machine can change or read."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from xcom_server.auth.exposure import warn_if_exposed
from xcom_server.auth.tokens import load_or_create_key
from xcom_server.auth.users import UsersFile, write

from tests.support.public_folder import public_folder
from tests.support.users import ANN

OTHER = 54321  # the id of a user and of a group that no process has
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change owners")


@pytest.fixture
def folder() -> Iterator[Path]:
    with public_folder() as folder:
        yield folder


@pytest.fixture
def file(folder: Path) -> Path:
    path = folder / "users.json"
    write(path, {"ann": ANN})
    return path


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[Path], list[str]]:
    """Return a function that returns the warnings about a file since the last call."""

    def warnings(path: Path) -> list[str]:
        caplog.clear()
        warn_if_exposed(path, "users file")
        return caplog.messages

    return warnings


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o646])
def test_file_that_others_can_write_is_named_with_the_command_to_run(
    file: Path, warnings: Callable[[Path], list[str]], mode: int
) -> None:
    file.chmod(mode)

    assert warnings(file) == [
        f"Other users can change the users file {file}: its mode is {mode:04o}."
        f" Run: chmod o= {file}"
    ]


@pytest.mark.parametrize("mode", [0o644, 0o604])
def test_file_that_others_can_read_is_named_with_the_command_to_run(
    file: Path, warnings: Callable[[Path], list[str]], mode: int
) -> None:
    file.chmod(mode)

    assert warnings(file) == [
        f"Other users can read the users file {file}: its mode is {mode:04o}. Run: chmod o= {file}"
    ]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440, 0o660])
def test_private_file_has_no_warning(
    file: Path, warnings: Callable[[Path], list[str]], mode: int
) -> None:
    file.chmod(mode)

    assert warnings(file) == []


@as_root
def test_owner_and_group_of_other_users_are_named(
    file: Path, warnings: Callable[[Path], list[str]]
) -> None:
    os.chown(file, OTHER, -1)
    assert warnings(file) == [
        f"Other users can change the users file {file}: it belongs to the user with the id {OTHER}."
    ]

    os.chown(file, 0, OTHER)
    file.chmod(0o440)  # a Secret in a pod with fsGroup
    assert warnings(file) == []
    file.chmod(0o660)
    assert warnings(file) == [
        f"Other users can change the users file {file}: its mode is 0660, and its group has the id"
        f" {OTHER}."
    ]


def test_folder_that_others_can_write_is_named_unless_it_is_sticky(
    file: Path, folder: Path, warnings: Callable[[Path], list[str]]
) -> None:
    folder.chmod(0o777)
    assert warnings(file) == [
        f"Other users can replace the users file {file}: they can write to {folder}."
    ]

    folder.chmod(0o1777)
    assert warnings(file) == []


@as_root
@pytest.mark.parametrize(
    ("owner", "group", "mode"), [(0, OTHER, 0o770), (OTHER, 0, 0o700), (OTHER, 0, 0o1700)]
)
def test_folder_of_another_user_or_group_is_named(
    file: Path,
    folder: Path,
    warnings: Callable[[Path], list[str]],
    owner: int,
    group: int,
    mode: int,
) -> None:
    os.chown(folder, owner, group)
    folder.chmod(mode)

    assert warnings(file) == [
        f"Other users can replace the users file {file}: they can write to {folder}."
    ]


@as_root
def test_mode_matters_in_a_folder_that_another_group_can_enter(
    file: Path, folder: Path, warnings: Callable[[Path], list[str]]
) -> None:
    file.chmod(0o666)
    os.chown(folder, 0, OTHER)
    folder.chmod(0o710)

    assert len(warnings(file)) == 1


def test_folder_of_a_symbolic_link_is_checked_too(
    file: Path, folder: Path, warnings: Callable[[Path], list[str]]
) -> None:
    (folder / "links").mkdir()
    link = folder / "links" / "users.json"
    link.symlink_to(file)
    assert warnings(link) == []

    (folder / "links").chmod(0o777)

    assert warnings(link) == [
        f"Other users can replace the users file {link}: they can write to {folder}/links."
    ]


def test_volume_of_a_secret_has_no_warning(
    folder: Path, warnings: Callable[[Path], list[str]]
) -> None:
    """The kubelet makes two symbolic links in a sticky folder; deploy/kubernetes.yaml has 0440."""
    content = folder / "..2026_11_28"
    content.mkdir()
    (content / "users.json").write_text("{}")
    (content / "users.json").chmod(0o440)
    (folder / "..data").symlink_to(content.name)
    (folder / "users.json").symlink_to("..data/users.json")
    folder.chmod(0o3777)

    assert warnings(folder / "users.json") == []


def test_mode_is_irrelevant_in_a_folder_that_others_cannot_enter(
    file: Path, folder: Path, warnings: Callable[[Path], list[str]]
) -> None:
    """The image has such a folder for its volume."""
    file.chmod(0o666)
    folder.chmod(0o700)

    assert warnings(file) == []


def test_warning_is_not_repeated_until_the_file_was_safe(
    file: Path, warnings: Callable[[Path], list[str]]
) -> None:
    file.chmod(0o644)
    assert [len(warnings(file)) for _ in range(3)] == [1, 0, 0]
    file.chmod(0o666)
    assert [len(warnings(file)) for _ in range(2)] == [1, 0]
    file.chmod(0o600)
    assert warnings(file) == []
    file.chmod(0o666)
    assert len(warnings(file)) == 1


def test_missing_file_has_no_warning(folder: Path, warnings: Callable[[Path], list[str]]) -> None:
    assert warnings(folder / "none") == []


def test_users_file_is_checked_when_it_is_read_and_after_each_change(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    users = UsersFile(file)
    users.users()
    assert caplog.messages == []

    file.chmod(0o606)
    users.users()
    users.users()

    warnings = [each.message for each in caplog.records if each.levelname != "INFO"]
    assert warnings == [
        f"Other users can change the users file {file}: its mode is 0606. Run: chmod o= {file}"
    ]


def test_token_key_file_is_checked_when_it_is_read(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / "token.key"
    load_or_create_key(path)
    assert caplog.messages == []

    path.chmod(0o644)
    load_or_create_key(path)

    assert caplog.messages == [
        f"Other users can read the token key file {path}: its mode is 0644. Run: chmod o= {path}"
    ]
