"""gunicorn may load the application before it forks: no two workers then share a connection."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.databases import emptied
from tests.support.http_client import Client
from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow

CLIENTS = 8
ENTRIES = 25


def test_with_preload_everybody_gets_their_own_answers(
    tmp_path: Path, postgres_url: str, count_case: Callable[..., None]
) -> None:
    wrong: list[object] = []

    def talk(number: int) -> None:
        with Client(server.url) as client:
            for turn in range(ENTRIES):
                name = f"{number}-{turn}"
                for answer in (
                    client.call("v2", "create", name, name),
                    client.call("v2", "get", name),
                ):
                    if answer.status not in (200, 201) or answer.body["value"] != name:
                        wrong.append((name, answer))

    with LiveServer(
        tmp_path, XCOM_DATABASE_URL=emptied(postgres_url), GUNICORN_CMD_ARGS="--preload"
    ) as server:
        threads = [threading.Thread(target=talk, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert wrong == []
    count_case("answers of workers that were forked late", 2 * CLIENTS * ENTRIES)
