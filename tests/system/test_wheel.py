"""The sdist and the wheel, and serving next to a distribution that owns a package `app`."""

import shutil
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from tests.support.commands import BUILD_SECONDS, run
from tests.support.dockerfile import copy_context
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
OTHER_APP = """
from setuptools import setup

setup(name="other-app", version="1", packages=["app"])
"""
RAISES = "raise RuntimeError('imported from the current folder')\n"


def build(source: Path, target: Path) -> Path:
    """Build a wheel without a network."""
    done = run(
        *PIP,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(target),
        str(source),
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the server's wheel, built from the same files as its image."""
    folder = tmp_path_factory.mktemp("wheel")
    copy_context(folder / "source")
    return build(folder / "source", folder / "wheels")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with the wheel and a distribution that owns `app`.

    The dependencies are those of the test environment, without its editable install: a .pth file
    adds a folder to the import path but does not read the .pth files in that folder.
    """
    folder = tmp_path_factory.mktemp("environment")
    other = folder / "other"
    (other / "app").mkdir(parents=True)
    (other / "app" / "__init__.py").write_text("OWNER = 'other-app'\n")
    (other / "setup.py").write_text(OTHER_APP)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    done = run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-index",
        "--no-deps",
        str(wheel),
        str(build(other, folder / "wheels")),
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    (site_packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def test_wheel_holds_one_package_its_types_and_both_documents(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"xcom_server"}
    assert {
        "xcom_server/py.typed",
        "xcom_server/openapi/emulator.yaml",
        "xcom_server/openapi/v1.yaml",
        "xcom_server/openapi/v2.yaml",
    } <= names
    assert [name for name in names if "tests" in name] == []


def test_sdist_holds_every_file_of_the_repository(tmp_path: Path) -> None:
    listed = run("git", "ls-files", "-z", cwd=ROOT)
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    files = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    backend = "from setuptools import build_meta; build_meta.build_sdist('dist')"
    done = run(sys.executable, "-c", backend, cwd=tmp_path, timeout=BUILD_SECONDS)

    assert done.returncode == 0, done.stderr
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert files - names == set()


def test_metadata_describe_the_distribution(environment: Path) -> None:
    shown = run(
        str(environment / "python"),
        "-c",
        "from importlib.metadata import metadata; print(metadata('xcom-server'))",
        cwd=environment,
    ).stdout

    for line in (
        "Author: xcom-server contributors",
        "License: Apache-2.0",
        "Classifier: Framework :: Flask",
        "Classifier: Typing :: Typed",
    ):
        assert f"{line}\n" in shown
    for label in ("Source", "Issues", "Changelog"):
        assert f"Project-URL: {label}, https://" in shown


def test_modules_of_the_current_folder_are_not_imported(environment: Path, tmp_path: Path) -> None:
    for name in ("app.py", "flask.py", "yaml.py", "json.py", "wsgi.py", "gunicorn.conf.py"):
        (tmp_path / name).write_text(RAISES)
    for name in ("openapi", "tests", "xcom_server"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(RAISES)

    with LiveServer(tmp_path, command=environment / "xcom-server") as server:
        for path in ("/api/v1/health", "/api/v2/version", "/api/v1/openapi.json"):
            with urlopen(server.url + path, timeout=20) as response:
                assert response.status == 200, path


def test_another_distribution_may_own_a_package_app(environment: Path, tmp_path: Path) -> None:
    script = "import app, xcom_server; print(app.OWNER, xcom_server.__file__)"
    owner, place = run(str(environment / "python"), "-c", script, cwd=tmp_path).stdout.split()

    assert owner == "other-app"
    assert Path(place).is_relative_to(environment.parent)
