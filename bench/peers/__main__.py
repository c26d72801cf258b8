"""`python -m bench.peers airflow3`: check that a peer works, with one request of each kind."""

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.data import KEYS, Layout, value
from bench.operations import SPREAD
from bench.peers import NAMES, Peer, PostgresServer, named, serving
from tests.support.postgres import Postgres

NUMBER = 1
"""The number of the request that is made, of each kind."""


def main() -> None:
    """Install, prepare, start, check and stop each peer."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("name", nargs="+", choices=NAMES)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that started servers are stopped
    with tempfile.TemporaryDirectory(prefix="peers-") as folder, Postgres(Path(folder)) as postgres:
        for name in options.name:
            _show(
                named(name, Path(folder)),
                PostgresServer("127.0.0.1", postgres.port),
                options.entries,
                options.workers,
            )


def _show(peer: Peer, postgres: PostgresServer, entries: int, workers: int) -> None:
    start = time.perf_counter()
    peer.install()
    print(f"{peer.name}: {peer.version} installed in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    layout = peer.prepare(postgres, entries)
    print(f"{peer.name}: {entries} entries prepared in {time.perf_counter() - start:.1f} s")
    with peer.serve(workers) as served:
        print(f"{peer.name}: first 200 after {served.seconds_to_first_200:.1f} s")
        for name, operation in peer.operations().items():
            request = operation.request(NUMBER)
            answer = serving.ask(served.url, request, served.headers)
            print(
                f"\n{name}: {request.method} {request.path} {request.body.decode()}\n"
                f"  {answer.status}, {len(answer.body)} bytes: {answer.body[:200]!r}"
            )
            if answer.status != operation.status:
                raise SystemExit(f"expected {operation.status}: {answer.body.decode()}")
            _check(name, json.loads(answer.body or "null"), layout)
        start = time.perf_counter()
    print(f"{peer.name}: stopped in {time.perf_counter() - start:.1f} s")


def _check(name: str, answer: dict[str, Any], layout: Layout) -> None:
    """Exit with an error unless a read returned the entries of the layout."""
    entry = NUMBER * SPREAD % layout.instances * KEYS + NUMBER * SPREAD % KEYS
    stored = json.loads(value(entry))
    expected: tuple[Any, ...]
    if name == "GET entry":
        held, expected = answer["value"], (stored, str(stored))
    elif name.startswith("list"):
        total = KEYS if name == "list of 100" else layout.entries
        held, expected = (answer["total_entries"], len(answer["xcom_entries"])), ((total, KEYS),)
    else:
        return
    print(f"  contains {held}")
    if held not in expected:
        raise SystemExit(f"expected {expected}")


if __name__ == "__main__":
    main()
