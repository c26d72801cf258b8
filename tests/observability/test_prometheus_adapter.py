"""What the adapter relies on in prometheus_client, and files that cannot be allocated."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import multiprocess
from xcom_server.observability import metrics_folder, prometheus_adapter

from tests.support.commands import run
from tests.support.full_disk import full_file_system

FIX = "prometheus_client has changed: fix {} in observability/prometheus_adapter.py"
SIZE = 65536

PROGRAM = """
import sys
from xcom_server.observability import prometheus_adapter
prometheus_adapter.store_in_folder(lambda: sys.argv[1])
from prometheus_client import Counter
Counter("x", "Help.", ["label"]).labels("a").inc()
"""


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Limit the size of the files that this process writes: a write beyond it is an OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


def add_keys(file: prometheus_adapter.AllocatedFile) -> None:
    for number in range(1000):
        file.write_value(f"{number:0100}", 1.0, 0.0)  # type: ignore[no-untyped-call]


def test_processes_of_a_slot_continue_the_same_file(tmp_path: Path) -> None:
    environ = {**os.environ, metrics_folder.VARIABLE: str(tmp_path)}
    for owner in ("worker0", "worker0", "worker1"):
        run(sys.executable, "-c", PROGRAM, owner, env=environ, check=True)

    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["counter_worker0.db", "counter_worker1.db"], FIX.format("store_in_folder")
    (metric,) = multiprocess.MultiProcessCollector.merge(  # type: ignore[no-untyped-call]
        [str(path) for path in tmp_path.iterdir()]
    )
    assert metric.samples[0].value == 3


def test_empty_variable_stores_nothing_in_the_current_directory(tmp_path: Path) -> None:
    environ = {**os.environ, metrics_folder.VARIABLE: ""}

    run(sys.executable, "-c", PROGRAM, "x", cwd=tmp_path, env=environ, check=True)

    assert list(tmp_path.iterdir()) == []


def test_blocks_of_a_file_are_allocated(tmp_path: Path) -> None:
    file = prometheus_adapter.AllocatedFile(str(tmp_path / "counter_1.db"))
    assert allocated(tmp_path / "counter_1.db") >= SIZE, FIX.format("AllocatedFile.__init__")

    add_keys(file)
    file.close()  # type: ignore[no-untyped-call]

    assert allocated(tmp_path / "counter_1.db") >= 2 * SIZE, FIX.format("AllocatedFile._init_value")


def test_file_that_cannot_be_allocated_is_an_error_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    with file_limit(1000), pytest.raises(OSError, match="too large"):
        prometheus_adapter.AllocatedFile(str(path))

    assert not path.exists()


def test_file_that_cannot_grow_is_an_error_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    file = prometheus_adapter.AllocatedFile(str(path))
    with file_limit(SIZE + 1000), pytest.raises(OSError, match="too large"):
        add_keys(file)
    file.close()  # type: ignore[no-untyped-call]

    read = prometheus_adapter.AllocatedFile(str(path), read_mode=True)
    assert path.stat().st_size == SIZE
    assert len(list(read.read_all_values())) > 400  # type: ignore[no-untyped-call]
    read.close()  # type: ignore[no-untyped-call]


def test_full_file_system_is_an_error_and_no_signal(tmp_path: Path) -> None:
    with full_file_system(tmp_path / "full") as folder:
        with pytest.raises(OSError, match="No space left on device"):
            prometheus_adapter.AllocatedFile(str(folder / "counter_1.db"))

        assert [path.name for path in folder.iterdir()] == ["filling"]
