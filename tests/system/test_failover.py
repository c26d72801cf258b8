"""When the primary dies, its standby takes over: writes resume and no accepted one is lost."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases import emptied
from tests.support.http_client import Client
from tests.support.live_server import LiveServer
from tests.support.postgres import Postgres, Standby, either
from tests.support.waiting import until
from tests.support.writers import Writers

pytestmark = pytest.mark.slow

PAST: dict[Callable[[Postgres], None], str] = {Postgres.kill: "killed", Postgres.pause: "paused"}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Postgres, Standby]]:
    """Yield a primary and its synchronous standby."""
    with ExitStack() as stack:
        primary = stack.enter_context(Postgres(tmp_path))
        emptied(primary.url)
        yield primary, stack.enter_context(primary.standby(tmp_path))


@pytest.fixture
def server(tmp_path: Path, pair: tuple[Postgres, Standby]) -> Iterator[LiveServer]:
    """Yield a server that is configured with both and uses the writable one."""
    with LiveServer(tmp_path, XCOM_DATABASE_URL=either(*pair)) as live:
        yield live


@pytest.mark.parametrize("die", PAST, ids=PAST.get)
def test_writes_resume_after_a_failover_and_none_is_lost(
    pair: tuple[Postgres, Standby],
    server: LiveServer,
    die: Callable[[Postgres], None],
    figure: Callable[[str, float], None],
    count_case: Callable[..., None],
) -> None:
    """A paused primary simulates an unreachable host, which does not refuse connections."""
    primary, standby = pair
    with Writers(lambda: Client(server.url)) as writers:
        until(lambda: len(writers.accepted()) > 100)
        die(primary)
        died = time.monotonic()
        until(lambda: len(writers.refused(died)) > 10)
        promoting = time.monotonic()
        standby.promote()
        promoted = time.monotonic()
        until(lambda: writers.are_accepted(promoted), 60, server.log.read_text)

    lost = writers.lost(dict(standby.execute("SELECT key, value FROM xcom")))
    resumed = min(write.ended for write in writers.accepted(promoted)) - promoted
    assert lost == set()
    assert {write.status for write in writers.writes()} <= {200, 201, 503}
    assert not [write for write in writers.accepted(died) if write.ended < promoting]
    figure("accepted writes lost in a failover", len(lost))
    figure(f"seconds from promotion to the next accepted write, primary {PAST[die]}", resumed)
    count_case("writes accepted around a failover", len(writers.accepted()))
    count_case("writes refused around a failover", len(writers.refused()))
