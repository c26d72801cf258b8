"""`python -m bench.peers airflow3` shows that a peer works: one request of each kind, and stop."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench.peers import NAMES, Peer, PostgresServer, Served, named, serving
from tests.postgres import Postgres


def main() -> None:
    """Install, prepare, serve, ask and stop each peer that was named."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("name", nargs="+", choices=NAMES)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    with (tempfile.TemporaryDirectory(prefix="peers-") as folder,
          Postgres(Path(folder)) as postgres):
        for name in options.name:
            _show(named(name, Path(folder)), PostgresServer("127.0.0.1", postgres.port),
                  options.entries, options.workers)


def _show(peer: Peer, postgres: PostgresServer, entries: int, workers: int) -> None:
    start = time.perf_counter()
    peer.install()
    print(f"{peer.name}: {peer.version} installed in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    peer.prepare(postgres, entries)
    print(f"{peer.name}: {entries} entries prepared in {time.perf_counter() - start:.1f} s")
    with peer.serve(workers) as served:
        print(f"{peer.name}: first 200 after {served.seconds_to_first_200:.1f} s")
        _ask(peer, served)
        start = time.perf_counter()
    print(f"{peer.name}: stopped in {time.perf_counter() - start:.1f} s")


def _ask(peer: Peer, served: Served) -> None:
    for name, operation in peer.operations().items():
        request = operation.request(1)
        answer = serving.ask(served.url, request, served.headers)
        print(f"\n{name}: {request.method} {request.path} {request.body.decode()}\n"
              f"  {answer.status} (expected {operation.status}), {len(answer.body)} bytes: "
              f"{answer.body[:200]!r}")


if __name__ == "__main__":
    main()
