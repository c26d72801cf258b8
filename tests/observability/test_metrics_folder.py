"""The folder of the metrics: where it is created, which are removed, and the slots of workers."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from xcom_server.observability import metrics_folder
from xcom_server.observability.metrics_folder import VARIABLE, NoMetricsFolder

NAME = "xcom-server-metrics-*"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Use a folder of this test as temporary directory, and unlock the folders made in it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(metrics_folder, "_created", {})
    monkeypatch.setattr(metrics_folder, "_slots", {})
    monkeypatch.setattr(metrics_folder, "_own_name", None)
    yield tmp_path
    for lock in metrics_folder._created.values():
        os.close(lock)


def created() -> Path:
    metrics_folder.create()
    return Path(os.environ[VARIABLE])


def abandoned(base: Path, name: str = "xcom-server-metrics-1-old") -> Path:
    """Create the folder that a killed master leaves."""
    base.mkdir(exist_ok=True)
    (base / name).mkdir()
    (base / name / "lock").touch()
    (base / name / "counter_1.db").write_bytes(b"x")
    return base / name


def test_folder_is_created_once(folder: Path) -> None:
    first = created()

    assert created() == first
    assert list(folder.glob(NAME)) == [first]
    assert first.stat().st_mode & 0o077 == 0


def test_folder_is_in_memory_unless_tmpdir_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR")

    assert metrics_folder._bases("")[0] == "/dev/shm"


@pytest.mark.parametrize("named", ["{0}/new/folder", "relative", " {0}/spaces\n"])
def test_folder_is_in_the_one_of_the_operator(
    folder: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv(VARIABLE, named.format(folder))

    assert created().parent == folder / named.format(folder).strip()


def test_master_that_replaces_another_has_its_own_folder(folder: Path) -> None:
    first = created()
    kept = dict(metrics_folder._created)
    metrics_folder._created.clear()  # a new program has its own variables

    second = created()
    metrics_folder._created.update(kept)

    assert sorted(folder.glob(NAME)) == sorted([first, second])


def test_abandoned_folder_is_removed(folder: Path) -> None:
    old = abandoned(folder)

    created()

    assert not old.exists()


def test_abandoned_folder_of_the_operator_is_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(folder / "named"))
    old = abandoned(folder / "named")

    created()

    assert not old.exists()


def test_folder_that_a_process_has_locked_is_kept(folder: Path) -> None:
    used = abandoned(folder)
    with (used / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        created()

    assert (used / "counter_1.db").exists()


def test_folder_without_a_lock_and_other_files_are_kept(folder: Path) -> None:
    others = [folder / "xcom-server-metrics-1-unfinished", folder / "another"]
    for path in others:
        path.mkdir()
    target = abandoned(folder, "target")
    link = folder / "xcom-server-metrics-1-link"
    link.symlink_to(target)

    created()

    assert all(path.exists() for path in [*others, target, link])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_folder_of_another_user_is_kept(folder: Path) -> None:
    other = abandoned(folder)
    os.chown(other, 12345, 12345)

    created()

    assert other.exists()


def test_file_in_place_of_the_folder_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").touch()
    monkeypatch.setenv(VARIABLE, str(folder / "file"))

    with pytest.raises(NoMetricsFolder) as error:
        metrics_folder.create()

    assert str(error.value) == (
        f"no folder for metrics can be created ({folder}/file: File exists). Set {VARIABLE} to a"
        " folder that can be written to, or XCOM_METRICS=false."
    )


def test_folder_with_space_is_preferred(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bases = [str(folder / "full"), str(folder / "free")]
    monkeypatch.setattr(metrics_folder, "_bases", lambda _: bases)
    monkeypatch.setattr(metrics_folder, "_is_full", lambda base: base == bases[0])

    assert created().parent == folder / "free"


def test_slot_of_a_worker_is_the_lowest_that_is_free() -> None:
    for worker in (1, 2, 3):
        metrics_folder.reserve_slot(worker)
    metrics_folder.release_slot(2)
    metrics_folder.reserve_slot(4)

    assert metrics_folder._slots == {1: 0, 3: 2, 4: 1}


def test_files_are_named_after_the_slot_or_the_process() -> None:
    assert metrics_folder.owner() == str(os.getpid())
    metrics_folder.reserve_slot(7)
    metrics_folder.use_slot(7)

    assert metrics_folder.owner() == "worker0"
