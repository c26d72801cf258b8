"""Install a wheel into an empty environment, start it, and read `/live`: used by `make dist`.

    python tests/support/smoke.py dist/xcom_server-0.1.0-py3-none-any.whl

It needs only the standard library.  The dependencies are those of requirements/serve.txt.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "serve.txt"
START_SECONDS = 60


def install(wheel: Path, environment: Path) -> Path:
    """Install a wheel with verified dependencies in a new environment; return its command."""
    venv.create(environment, with_pip=True)
    pip = (environment / "bin/python", "-m", "pip", "install", "--quiet")
    locked = ("--require-hashes", "--only-binary", ":all:", "--requirement", REQUIREMENTS)
    subprocess.run([*pip, *locked], check=True)
    subprocess.run([*pip, "--no-index", "--no-deps", wheel], check=True)
    subprocess.run([*pip[:3], "check"], check=True)
    return environment / "bin/xcom-server"


def free_address() -> str:
    """Return an address of the loopback interface whose port is free now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def wait_until_live(address: str, server: "subprocess.Popen[bytes]") -> None:
    """Wait for a 200 from `/live`; raises TimeoutError, or RuntimeError if the server ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with status {server.returncode}")
        try:
            with urlopen(f"http://{address}/live", timeout=5) as response:
                if response.status == 200:
                    return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise TimeoutError(f"no 200 from http://{address}/live in {START_SECONDS} s")


def serve_once(command: Path, folder: Path) -> None:
    """Start the server in a folder, wait for `/live`, and stop it with SIGTERM."""
    address = free_address()
    environ = {key: text for key, text in os.environ.items() if not key.startswith("XCOM_")}
    with subprocess.Popen([command, "serve", "--bind", address], cwd=folder, env=environ) as server:
        try:
            wait_until_live(address, server)
        finally:
            server.send_signal(signal.SIGTERM)
            status = server.wait(START_SECONDS)
    if status != 0:
        raise RuntimeError(f"the server ended with status {status} after SIGTERM")


def main(wheel: Path) -> None:
    """Check one wheel; an exception is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        command = install(wheel.resolve(), Path(folder) / "environment")
        version = subprocess.run(
            [command, "--version"], check=True, capture_output=True, text=True
        ).stdout.strip()
        serve_once(command, Path(folder))
    print(f"{wheel.name}: installed, `{version}`, /live is 200, stopped with status 0")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
