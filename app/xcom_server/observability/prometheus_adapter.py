"""The undocumented members of prometheus_client that this server uses.

tests/observability/test_prometheus_adapter.py names the one that a new release breaks.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from prometheus_client import mmap_dict, values

from xcom_server.observability import metrics_folder


class AllocatedFile(mmap_dict.MmapedDict):
    """A file of metrics whose blocks are allocated before they are mapped.

    Otherwise a full disk kills a process that writes to the mapped file (SIGBUS).  Relies on
    `MmapedDict` reading the size of the file when it is opened, on `_INITIAL_MMAP_SIZE`, and on
    `_init_value` doubling `_capacity` for a key that does not fit behind `_used`.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        """Open a file; a new one has the initial size.  Raises OSError."""
        if not read_mode:
            _extend(filename, mmap_dict._INITIAL_MMAP_SIZE)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + _OVERHEAD > self._capacity:
            _extend(self._fname, self._capacity * 2)
        super()._init_value(key)  # type: ignore[no-untyped-call]


_OVERHEAD = 4 + 8 + 16  # bytes of an entry besides its key: length, padding, value and date


def store_in_folder(owner: Callable[[], str]) -> None:
    """Store metrics that are declared later in the folder, if there is one.

    `owner` returns a name for the files of the current process.  Relies on `values.ValueClass`,
    `values.MultiProcessValue` and `values.MmapedDict`, which metrics look up when they are used.
    """
    patched: Any = values
    if not os.environ.get(metrics_folder.VARIABLE, "").strip():
        os.environ.pop(metrics_folder.VARIABLE, None)  # empty: not the current directory
        patched.ValueClass = values.MutexValue
        return
    patched.MmapedDict = AllocatedFile
    patched.ValueClass = values.MultiProcessValue(owner)  # type: ignore[no-untyped-call]


def _extend(filename: str, size: int) -> None:
    """Fill a file with zeros up to a size in bytes.  If that fails, undo it and raise OSError."""
    with open(filename, "ab", buffering=0) as file:
        start = os.fstat(file.fileno()).st_size
        try:
            while (missing := size - os.fstat(file.fileno()).st_size) > 0:
                file.write(bytes(missing))  # may write less
        except OSError:
            with suppress(OSError):
                file.truncate(start)
                if not start:  # an empty file cannot be read
                    os.unlink(filename)
            raise
