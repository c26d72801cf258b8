"""XCOM_SEED: seed files that the server loads into an empty database when it starts."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.errors import DatabaseUnusable
from xcom_server.seed_file import InvalidSeedFile
from xcom_server.server import preflight, seeding
from xcom_server.server.seeding import CannotSeed
from xcom_server.settings import Settings

from tests.support.databases import clear, load
from tests.support.http_client import status
from tests.support.live_server import LiveServer
from tests.support.v1_calls import entry, stored_values

ENTRY = {
    "dag_id": "etl",
    "run_id": "scheduled__2024-01-01T00:00:00+00:00",
    "task_id": "extract",
    "key": "k",
    "value": "seeded",
}


@pytest.fixture
def seed(tmp_path: Path, database_url: str) -> Callable[[str], None]:
    """Return a function that loads a path below the folder of the test into the database."""
    return lambda path: seeding.load(Settings(database_url=database_url, seed=f"{tmp_path}/{path}"))


@pytest.fixture
def values(make_client: Callable[..., FlaskClient]) -> Callable[[], dict[str, Any]]:
    """Return a function that returns the stored entries: key -> value."""
    client = make_client()
    return lambda: stored_values(client)


def write(path: Path, *rows: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(rows), encoding="utf-8")


def test_file_is_loaded_into_an_empty_database(
    seed: Callable[[str], None],
    values: Callable[[], dict[str, Any]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    write(tmp_path / "seed.json", ENTRY)

    seed("seed.json")

    assert values() == {"k": "seeded"}
    assert f"Loaded {tmp_path}/seed.json: 1 entry and 0 DAG runs." in caplog.messages


def test_all_json_files_of_a_folder_are_loaded(
    seed: Callable[[str], None], values: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    write(tmp_path / "seed" / "b.json", ENTRY)
    write(tmp_path / "seed" / "a.json", ENTRY | {"key": "other", "value": "a"})
    (tmp_path / "seed" / "README").write_text("not JSON")

    seed("seed")

    assert values() == {"k": "seeded", "other": "a"}


def test_database_with_data_is_left_unchanged(
    seed: Callable[[str], None],
    values: Callable[[], dict[str, Any]],
    tmp_path: Path,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    load(database_url, json.dumps([ENTRY | {"value": "stored"}]))
    write(tmp_path / "seed.json", ENTRY)

    seed("seed.json")

    assert values() == {"k": "stored"}
    assert f"The database is not empty, so {tmp_path}/seed.json is not loaded." in caplog.messages


def test_empty_folder_loads_nothing(
    seed: Callable[[str], None], values: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "seed").mkdir()

    seed("seed")

    assert values() == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "seed.json: No such file or directory"),
        (b"\xff", "seed.json: not UTF-8"),
        (b"{", "seed.json: not JSON"),
        (b'[{"dag_id": "etl"}]', "seed.json: entry 1: "),
    ],
)
def test_unusable_file_is_named(
    seed: Callable[[str], None],
    values: Callable[[], dict[str, Any]],
    tmp_path: Path,
    content: bytes | None,
    words: str,
) -> None:
    if content is not None:
        (tmp_path / "seed.json").write_bytes(content)

    with pytest.raises(InvalidSeedFile) as error:
        seed("seed.json")

    assert str(error.value).startswith(f"{tmp_path}/{words}")
    assert values() == {}


def test_conflict_is_reported_and_nothing_is_stored(
    seed: Callable[[str], None], values: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    write(
        tmp_path / "seed.json",
        ENTRY | {"logical_date": "2024-01-01T00:00:00Z"},
        ENTRY | {"key": "k2", "logical_date": "2025-01-01T00:00:00Z"},
    )

    with pytest.raises(CannotSeed, match=r"\AXCOM_SEED cannot be loaded: .*logical_date"):
        seed("seed.json")

    assert values() == {}


def test_database_in_memory_is_refused() -> None:
    settings = Settings(database_url="sqlite://", seed="seed.json")

    with pytest.raises(DatabaseUnusable, match="XCOM_SEED cannot be loaded into sqlite://"):
        preflight.check(settings, [("127.0.0.1", 1)], workers=1)


@pytest.mark.slow
def test_server_is_seeded_before_its_first_response_and_only_if_it_is_empty(
    tmp_path: Path,
) -> None:
    write(tmp_path / "seed.json", ENTRY)
    with LiveServer(tmp_path, workers=1, XCOM_SEED="seed.json") as server:
        url = server.url + entry("k")
        assert status(url) == 200
        server.process.terminate()
        server.process.wait(20)
        clear(tmp_path / "xcom.db")
        load(server.database_url, json.dumps([ENTRY | {"key": "later"}]))
        server.start()
        assert (status(url), status(server.url + entry("later"))) == (404, 200)


def test_empty_folder_needs_no_database(tmp_path: Path) -> None:
    settings = Settings(database_url="sqlite://", seed=str(tmp_path))

    preflight.check(settings, [("127.0.0.1", 1)], workers=1)
    seeding.load(settings)
