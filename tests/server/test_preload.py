"""With gunicorn's --preload, forked workers do not share database connections."""

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


def test_preloaded_workers_do_not_mix_up_responses(
    tmp_path: Path, postgres_url: str, count_case: Callable[..., None]
) -> None:
    wrong: list[object] = []

    def send_requests(number: int) -> None:
        with Client(server.url) as client:
            for entry in range(ENTRIES):
                name = f"{number}-{entry}"
                for response in (
                    client.call("v2", "create", name, name),
                    client.call("v2", "get", name),
                ):
                    if response.status not in (200, 201) or response.body["value"] != name:
                        wrong.append((name, response))

    with LiveServer(
        tmp_path, XCOM_DATABASE_URL=emptied(postgres_url), GUNICORN_CMD_ARGS="--preload"
    ) as server:
        threads = [
            threading.Thread(target=send_requests, args=(number,)) for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert wrong == []
    count_case("answers of workers that were forked late", 2 * CLIENTS * ENTRIES)
