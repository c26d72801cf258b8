"""The wheel is whole: installed alone, it serves from any folder."""

import subprocess
import sys
import venv
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import ROOT, run
from tests.live import LiveServer


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the commands of an environment that holds the wheel alone."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    built = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir",
                str(folder), str(source))
    assert built.returncode == 0, built.stderr
    venv.create(folder / "venv", with_pip=True)
    wheel = next(folder.glob("*.whl"))
    python = folder / "venv" / "bin" / "python"
    done = run(str(python), "-m", "pip", "install", "--quiet", "--constraint",
               str(ROOT / "constraints.txt"), str(wheel))
    assert done.returncode == 0, done.stderr
    return python.parent


def test_the_wheel_serves_from_another_folder(installed: Path, tmp_path: Path) -> None:
    with LiveServer(tmp_path, command=installed / "xcom-server") as server:
        for path in ("/openapi.json", "/openapi.yaml", "/ui/", "/ui/swagger-ui-bundle.js",
                     "/health", "/version"):
            with urlopen(server.api + path) as answer:
                assert answer.status == 200, path
    assert (tmp_path / "xcom.db").exists()
