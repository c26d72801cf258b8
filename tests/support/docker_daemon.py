"""A Docker daemon for one container: it runs the server instead of the image.

It has the part of Docker's API with which a container is created, started, inspected and removed.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.dockerfile import stages
from tests.support.live_server import LiveServer

ID = "0" * 64


class Daemon:
    """The state of the daemon: `definition` is the container that the client has created."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.definition: dict[str, Any] = {}
        self.server: LiveServer | None = None

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the JSON of a response; `path` is without Docker's version."""
        match method, path:
            case "GET", "/version":
                return 200, {"ApiVersion": "1.47", "Version": "27.0.0"}
            case "POST", "/containers/create":
                self.definition = json.loads(body)
                return 201, {"Id": ID, "Warnings": []}
            case "POST", _ if path.endswith("/start"):
                self._start()
                return 204, None
            case "DELETE", _:
                self.stop()
                return 204, None
            case "GET", _ if path.startswith("/images/"):
                return 200, {"Id": "sha256:1", "RepoTags": []}
            case "GET", _ if path.startswith("/containers/"):
                return 200, self._inspected()
        return 404, {"message": f"{method} {path} is not part of this daemon"}

    def stop(self) -> None:
        """Stop the server if it runs."""
        if self.server is not None:
            self.server.__exit__(None, None, None)
            self.server = None

    def _start(self) -> None:
        """Start a server with the variables of the image and of the container, and its mounts."""
        home = self._folder / "home"
        seed = self._folder / "seed"
        home.mkdir()
        seed.mkdir()
        for bind in self.definition["HostConfig"]["Binds"]:
            source, target, mode = bind.split(":")
            assert mode == "ro"
            (seed / Path(target).relative_to("/seed")).symlink_to(source)
        given = dict(each.split("=", 1) for each in self.definition["Env"])
        image = {"XCOM_AUTH": stages()[-1].environ["XCOM_AUTH"], "XCOM_SEED": str(seed)}
        self.server = LiveServer(home, workers=1, **{**image, **given})
        self.server.__enter__()

    def _inspected(self) -> dict[str, Any]:
        port = str(self.server.port) if self.server else ""
        ports = {
            name: [{"HostIp": "127.0.0.1", "HostPort": port}]
            for name in self.definition["ExposedPorts"]
        }
        state = {"Status": "running" if self.server else "created", "Running": bool(self.server)}
        return {
            "Id": ID,
            "Image": "sha256:1",
            "State": state,
            "Config": {"Image": self.definition["Image"]},
            "NetworkSettings": {"Ports": ports},
        }


@contextmanager
def docker_daemon(folder: Path) -> Iterator[tuple[Daemon, str]]:
    """Yield a daemon and its address, for the variable DOCKER_HOST."""
    daemon = Daemon(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = re.sub(r"^/v[0-9.]+", "", self.path.partition("?")[0])
            status, data = daemon.respond(self.command, path, body)
            text = b"" if data is None else json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *args: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield daemon, f"tcp://127.0.0.1:{server.server_address[1]}"
        finally:
            daemon.stop()
            server.shutdown()
