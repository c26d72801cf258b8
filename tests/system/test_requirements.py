"""The locked requirements are pinned, have hashes, and agree with each other and setup.cfg."""

import configparser
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "requirements"
PIN = re.compile(r"([a-z0-9.-]+)(?:\[[a-z0-9, ]+\])?==([^\s;]+)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
LOCKED = sorted(FOLDER.glob("*.txt"))
TOGETHER = ("bench", "docs", "serve", "test")
"""These files are installed into one environment."""


def pins(file: Path) -> dict[tuple[str, str], str]:
    """Return the version of each package of a file, by its name and marker."""
    lines = file.read_text(encoding="utf-8").splitlines()
    found = [match for line in lines if (match := PIN.fullmatch(line))]
    return {(match[1], match[3] or ""): match[2] for match in found}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


@pytest.mark.parametrize("file", LOCKED, ids=lambda file: str(file.name))
def test_every_line_is_a_pin_or_a_hash(file: Path) -> None:
    lines = [
        line
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#")
    ]

    assert [line for line in lines if not (PIN.fullmatch(line) or HASH.fullmatch(line))] == []
    assert [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if PIN.fullmatch(line) and not HASH.fullmatch(following)
    ] == []


def test_files_of_one_environment_have_the_same_versions() -> None:
    versions: dict[tuple[str, str], set[str]] = {}
    for name in TOGETHER:
        for package, version in pins(FOLDER / f"{name}.txt").items():
            versions.setdefault(package, set()).add(version)

    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def test_lowest_has_the_lower_bounds_of_setup_cfg() -> None:
    config = configparser.RawConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    bounds = re.findall(
        r"^(\S+?)(?:\[\w+\])? >=([\d.]+),?",
        config["options"]["install_requires"],
        re.MULTILINE,
    )
    lowest = {name: version for (name, _), version in pins(FOLDER / "lowest.txt").items()}

    assert len(bounds) > 10
    for name, bound in bounds:
        assert f"{lowest[normalized(name)]}.".startswith(f"{bound}."), name


def test_decision_3_gives_a_reason_for_each_dependency() -> None:
    config = configparser.RawConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    packages = set(re.findall(r"^([\w-]+)", "\n".join(lists), re.MULTILINE))
    decision = (ROOT / "docs" / "decisions" / "0003-dependencies.md").read_text(encoding="utf-8")

    assert len(packages) > 40
    assert packages - set(re.findall(r"[\w-]+", decision)) == set()


def test_build_backend_is_pinned_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (locked,) = pins(FOLDER / "build.txt").items()

    assert project["build-system"]["requires"] == [f"{locked[0][0]}=={locked[1]}"]


def test_pre_commit_runs_the_locked_versions() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    locked = {name: version for (name, _), version in pins(FOLDER / "test.txt").items()}

    for repository in config["repos"]:
        name = repository["repo"].rpartition("/")[2].removesuffix("-pre-commit")
        assert repository["rev"].removeprefix("v") == locked[name]
