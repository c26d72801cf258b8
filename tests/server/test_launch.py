"""gunicorn's configuration is created by a call, not by an import."""

import os
import sys
from pathlib import Path

import pytest
from gunicorn.config import Config
from xcom_server.errors import OperatorError
from xcom_server.server import launch
from xcom_server.server.launch import configure
from xcom_server.settings import Settings

from tests.support.commands import run, xcom_server

IMPORT = """
import os, sys
import xcom_server.cli.main, xcom_server.server.launch
print([name for name in ("PROMETHEUS_MULTIPROC_DIR",) if name in os.environ],
      [name for name in ("prometheus_client", "xcom_server.factory") if name in sys.modules])
"""


def test_import_reads_no_settings_and_creates_no_folder(tmp_path: Path) -> None:
    environ = {**os.environ, "XCOM_WORKERS": "not a number", "TMPDIR": str(tmp_path)}

    imported = run(sys.executable, "-c", IMPORT, cwd=tmp_path, env=environ)

    assert imported.stdout == "[] []\n", imported.stderr
    assert list(tmp_path.iterdir()) == []


def test_gunicorn_accepts_the_whole_configuration() -> None:
    config = Config()
    configured = configure(Settings(metrics=False, workers=3, threads=5))
    for name, value in configured.items():
        config.set(name, value)

    assert (config.workers, config.threads) == (3, 5)
    assert config.on_starting == configured["on_starting"]


def test_gunicorn_command_option_is_rejected(tmp_path: Path) -> None:
    result = xcom_server(tmp_path, "serve", GUNICORN_CMD_ARGS="--daemon")

    assert result.returncode == 1
    assert "Error: GUNICORN_CMD_ARGS: xcom-server serve does not support daemon" in result.stderr


def test_server_without_a_temporary_directory_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", fail)

    with pytest.raises(OperatorError, match=r"no temporary directory .* Set TMPDIR to one"):
        launch.run(Settings())
