"""Responses on runs, task instances and DAGs equal recorded ones, except for documented rows."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.parity import neighbour_seeds
from tests.support import recorded, replay
from tests.support.paths import PARITY, ROOT

FOLDER = PARITY / "neighbours"
DOCUMENT = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
SETTINGS: dict[str, dict[str, Any]] = {
    "cases": {},
    "extra.cases": {},
    "pattern.cases": {"XCOM_ALLOWED_RUN_ID_PATTERN": "^[a-z]+$"},
}
"""The recordings of each version, and the settings with which each is replayed."""


class Recording(NamedTuple):
    """The cases in one file."""

    version: str
    name: str

    def cases(self) -> list[recorded.Case]:
        """Return the cases in their order."""
        return recorded.cases(FOLDER / f"{self.version}.{self.name}.jsonl")

    def seed(self) -> str:
        """Return the text of the seed file with the data of the recording server."""
        text = (FOLDER / f"{self.version}.seed.json").read_text(encoding="utf-8")
        return json.dumps(neighbour_seeds.convert(json.loads(text)))


RECORDINGS = [Recording(version, name) for version in ("v1", "v2") for name in SETTINGS]
CASES = [(recording, case) for recording in RECORDINGS for case in recording.cases()]
ROWS = {
    version: replay.rows(
        DOCUMENT,
        version,
        [case for recording, case in CASES if recording.version == version],
    )
    for version in ("v1", "v2")
}

Answers = Callable[[Recording], dict[str, recorded.Answer]]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def answers(
    request: pytest.FixtureRequest, users_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Answers:
    """Return a function that returns the answers to the cases of a recording by case id."""

    @functools.cache
    def replayed(recording: Recording) -> dict[str, recorded.Answer]:
        folder = tmp_path_factory.mktemp("replay")
        url = (
            f"sqlite:///{folder}/xcom.db"
            if request.param == "sqlite"
            else request.getfixturevalue("postgres_url")
        )
        settings = SETTINGS[recording.name]
        replayed = replay.replay(
            recording.cases(), recording.seed(), folder, url, users_file, **settings
        )
        return {case["id"]: answer for case, answer in replayed}

    return replayed


@pytest.mark.parametrize(
    ("recording", "case"),
    CASES,
    ids=[f"{recording.version}-{case['id']}" for recording, case in CASES],
)
def test_response_equals_the_recorded_one(
    recording: Recording, case: recorded.Case, answers: Answers, count_case: Callable[..., None]
) -> None:
    answer = answers(recording)[case["id"]]
    found = replay.differences(case, answer)
    row = ROWS[recording.version].get(case["id"])
    how = replay.outcome(case, found, answer, row)
    count_case(f"{recording.version} {replay.family(case)}: {how}, on two databases")

    assert answer.status < 500
    if row and how != replay.HELD_OUT:
        assert found, f"the response no longer differs; remove its row:\n{row}"
    assert how != replay.DIFFERS, "\n".join(["differs and has no row:", *found[:20]])


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_every_documented_difference_names_a_recorded_case(version: str) -> None:
    named = {case["id"] for recording, case in CASES if recording.version == version}

    assert ROWS[version].keys() <= named
