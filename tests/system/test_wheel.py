"""The sdist and the wheel, and serving next to a distribution that owns a package `app`."""

import os
import shutil
import sys
import tarfile
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from tests.support.commands import BUILD_SECONDS, run
from tests.support.dockerfile import copy_context
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.projects import write_client
from tests.support.wheels import build, install

pytestmark = pytest.mark.slow

OTHER_APP = """
from setuptools import setup

setup(name="other-app", version="1", packages=["app"])
"""
RAISES = "raise RuntimeError('imported from the current folder')\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the server's wheel, built from the same files as its image."""
    folder = tmp_path_factory.mktemp("wheel")
    copy_context(folder / "source")
    return build(folder / "source", folder / "wheels")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with the wheel and a distribution that owns `app`."""
    folder = tmp_path_factory.mktemp("environment")
    other = folder / "other"
    (other / "app").mkdir(parents=True)
    (other / "app" / "__init__.py").write_text("OWNER = 'other-app'\n")
    (other / "setup.py").write_text(OTHER_APP)
    wheels = (wheel, build(other, folder / "wheels"))
    return install(Path(sys.executable), folder / "venv", *wheels).parent


@pytest.fixture(scope="module")
def environment_3_13(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with the wheel and what a user's project has."""
    python = ROOT / ".venvs" / "project" / "bin" / "python"
    if not python.exists():
        pytest.skip("Python 3.13 is not installed: run `make .venvs/project/done`")
    return install(python, tmp_path_factory.mktemp("environment_3_13") / "venv", wheel).parent


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
    page = "xcom_server/api/emulator/page"
    files = (ROOT / "app" / page).glob("[at]*s/*")  # assets and templates
    assert {f"{page}/{each.parent.name}/{each.name}" for each in files} <= names
    assert f"{page}/assets/page.js" in names
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


@pytest.mark.parametrize("version", ["environment", "environment_3_13"])
def test_project_with_its_own_package_app_uses_the_plugin(
    version: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The test is that of the README; the second run has two processes with a server each."""
    python = str(request.getfixturevalue(version) / "python")
    test = write_client(tmp_path)

    for number, options in enumerate([(), ("-n", "2")], 1):
        (tmp_path / f"test_report{number}.py").write_text(test, encoding="utf-8")
        command = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options)
        done = run(*command, cwd=tmp_path, env={"PATH": os.defpath}, timeout=BUILD_SECONDS)
        assert f"\n{number} passed in " in done.stdout, done.stdout + done.stderr
