"""A server without the control plane does not import its code."""

import json
import sys

import pytest

from tests.support.commands import run

pytestmark = pytest.mark.slow

SCRIPT = """
import json, sys
from xcom_server.factory import create_app
from xcom_server.server import hooks, launch, preflight
from xcom_server.settings import Settings
create_app(Settings(database_url="sqlite://"))
names = [name for name in sys.modules if "emulator" in name or name.endswith(".sql.snapshots")]
print(json.dumps(names))
"""


def test_server_without_a_control_plane_imports_only_the_interface_of_its_state() -> None:
    result = run(sys.executable, "-c", SCRIPT)

    assert json.loads(result.stdout) == ["xcom_server.storage.emulator"]
