"""The key that signs tokens: created once, and readable only by its owner."""

import os
import stat
import threading
from pathlib import Path

import pytest
from xcom_server.auth.tokens import MIN_KEY_BYTES, InvalidKeyFile, load_or_create_key


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_new_key_is_readable_only_by_its_owner(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "token.key"
    before = os.umask(mask)
    try:
        key = load_or_create_key(path)
    finally:
        os.umask(before)

    assert len(key) >= MIN_KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_existing_key_is_reused(tmp_path: Path) -> None:
    made = load_or_create_key(tmp_path / "token.key")
    text = (tmp_path / "token.key").read_bytes()

    assert load_or_create_key(tmp_path / "token.key") == made
    assert (tmp_path / "token.key").read_bytes() == text


def test_keys_differ_between_files(tmp_path: Path) -> None:
    assert load_or_create_key(tmp_path / "one") != load_or_create_key(tmp_path / "two")


def test_key_of_an_operator_is_used_as_is(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    path.write_bytes(b"\xff" + b"k" * (MIN_KEY_BYTES - 1) + b"\n")

    assert load_or_create_key(path) == b"\xff" + b"k" * (MIN_KEY_BYTES - 1)


def test_concurrent_creators_get_the_same_key(tmp_path: Path) -> None:
    for round_number in range(10):
        path = tmp_path / f"{round_number}.key"
        barrier = threading.Barrier(8)
        keys: list[bytes] = []

        def load_together(
            path: Path = path, barrier: threading.Barrier = barrier, keys: list[bytes] = keys
        ) -> None:
            barrier.wait()
            keys.append(load_or_create_key(path))

        threads = [threading.Thread(target=load_together) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(keys) == 8
        assert set(keys) == {path.read_bytes().strip()}
    assert len(list(tmp_path.iterdir())) == 10


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"short", b" " * 200, b"k" * (MIN_KEY_BYTES - 1) + b"\n"]
)
def test_short_key_is_rejected_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token.key"
    path.write_bytes(content)

    with pytest.raises(InvalidKeyFile) as error:
        load_or_create_key(path)

    size = len(content.strip())
    assert str(error.value) == (
        f"the token key file {path} has {size} bytes, but at least 64 are needed."
        " Remove it, and the next start creates a new one."
    )
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "Is a directory"),
        ("no/such/folder", "No such file or directory"),
        ("file/token.key", "Not a directory"),
        ("dangling", "No such file or directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_unusable_path_is_reported_in_one_line(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    with pytest.raises(InvalidKeyFile) as error:
        load_or_create_key(tmp_path / name)

    assert str(error.value) == f"the token key file {tmp_path / name} cannot be used: {reason}"
