"""Other WSGI servers than gunicorn, each in a process of its own.

`python -m tests.support.wsgi_servers NAME` serves `wsgi:app` at a free port of loopback and prints
the port.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.paths import ROOT
from tests.support.waiting import SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _wsgiref(app: "WSGIApplication") -> None:
    from wsgiref.simple_server import make_server

    with make_server("127.0.0.1", 0, app) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


def _werkzeug(app: "WSGIApplication") -> None:
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)  # as pytest-flask's live_server
    print(server.server_port, flush=True)
    server.serve_forever()


def _waitress(app: "WSGIApplication") -> None:
    from waitress.server import create_server

    server = create_server(app, host="127.0.0.1", port=0)
    print(server.effective_port, flush=True)
    server.run()


SERVERS: "dict[str, Callable[[WSGIApplication], None]]" = {
    "wsgiref": _wsgiref,
    "werkzeug": _werkzeug,
    "waitress": _waitress,
}


@contextmanager
def served(name: str, folder: Path, **environ: str) -> Iterator[int]:
    """Run one of the servers on a database in a folder, and yield its port."""
    database = f"sqlite:///{folder}/xcom.db"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.wsgi_servers", name],
            cwd=ROOT,
            env={**os.environ, "XCOM_DATABASE_URL": database, **environ},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait(SECONDS)
        process.stdout.close()


if __name__ == "__main__":
    from wsgi import app

    SERVERS[sys.argv[1]](app)
