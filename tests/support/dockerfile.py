"""A reader of the Dockerfile: its stages, environment, build context and start command."""

import json
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_parse import DockerfileParser

from tests.support.paths import ROOT

FOLDERS = ("/source", "/wheels", "/opt/build", "/opt/xcom", "/var/lib/xcom", "/seed")
"""The folders that the Dockerfile uses; tests without Docker move them."""


@dataclass
class Stage:
    """A stage, from one FROM to the next: the values of each instruction."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def all(self, instruction: str) -> list[str]:
        return self.values.get(instruction, [])

    def only(self, instruction: str) -> str:
        """Return the value of an instruction that occurs once."""
        (value,) = self.all(instruction)
        return value

    @property
    def environ(self) -> dict[str, str]:
        pairs = shlex.split(" ".join(self.all("ENV")))
        return dict(pair.split("=", 1) for pair in pairs)

    @property
    def command(self) -> list[str]:
        """Return the default command of a container."""
        return self.entrypoint + list(json.loads(self.only("CMD")))

    @property
    def entrypoint(self) -> list[str]:
        return list(json.loads(self.only("ENTRYPOINT")))

    @property
    def healthcheck(self) -> list[str]:
        return list(json.loads(self.only("HEALTHCHECK").partition(" CMD ")[2]))


def stages() -> list[Stage]:
    found: list[Stage] = []
    for each in DockerfileParser(path=str(ROOT / "Dockerfile")).structure:
        if each["instruction"] == "FROM":
            found.append(Stage())
        if found:
            found[-1].values.setdefault(each["instruction"], []).append(each["value"])
    return found


def context() -> list[str]:
    """Return the files and folders that .dockerignore includes in a build."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines  # everything else is excluded
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def copy_context(target: Path) -> None:
    target.mkdir()
    for name in context():
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, target)


def moved(text: str, root: Path) -> str:
    """Return a text of the Dockerfile with its folders under another root."""
    for folder in FOLDERS:
        text = text.replace(folder, f"{root}{folder}")
    return text
