"""gunicorn's configuration: made by a call, not by an import."""

import os
import sys
from pathlib import Path

import pytest
from gunicorn.config import Config
from xcom_server.observability.shared import METRICS_FOLDER, create_metrics_folder
from xcom_server.server.launch import configure
from xcom_server.settings import Settings

from tests.support.commands import run, xcom_server

IMPORT = """
import os, sys
import xcom_server.cli.main, xcom_server.server.launch
print([name for name in ("PROMETHEUS_MULTIPROC_DIR",) if name in os.environ],
      [name for name in ("prometheus_client", "xcom_server.factory") if name in sys.modules])
"""


def test_an_import_reads_no_settings_and_creates_no_folder(tmp_path: Path) -> None:
    environ = {**os.environ, "XCOM_WORKERS": "not a number", "TMPDIR": str(tmp_path)}

    imported = run(sys.executable, "-c", IMPORT, cwd=tmp_path, env=environ)

    assert imported.stdout == "[] []\n", imported.stderr
    assert list(tmp_path.iterdir()) == []


def test_gunicorn_takes_every_name() -> None:
    config = Config()
    made = configure(Settings(metrics=False, workers=3, threads=5))
    for name, value in made.items():
        config.set(name, value)

    assert (config.workers, config.threads) == (3, 5)
    assert config.on_starting == made["on_starting"]


def test_a_folder_is_made_for_the_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(METRICS_FOLDER, "")
    monkeypatch.delenv(METRICS_FOLDER)

    create_metrics_folder()
    first = os.environ[METRICS_FOLDER]
    create_metrics_folder()

    assert Path(first).parent == tmp_path
    assert os.environ[METRICS_FOLDER] == first


def test_a_folder_that_an_operator_named_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(METRICS_FOLDER, str(tmp_path / "metrics"))

    create_metrics_folder()

    assert (tmp_path / "metrics").is_dir()
    assert os.environ[METRICS_FOLDER] == str(tmp_path / "metrics")


def test_a_new_master_does_not_take_the_folder_of_the_one_that_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    old = tmp_path / "xcom-server-metrics-1-old"
    monkeypatch.setenv(METRICS_FOLDER, str(old))

    create_metrics_folder()

    assert os.environ[METRICS_FOLDER] != str(old)


def test_an_option_of_gunicorns_command_is_refused(tmp_path: Path) -> None:
    answer = xcom_server(tmp_path, "serve", GUNICORN_CMD_ARGS="--daemon")

    assert answer.returncode == 1
    assert "Error: GUNICORN_CMD_ARGS: xcom-server serve does not support daemon" in answer.stderr
