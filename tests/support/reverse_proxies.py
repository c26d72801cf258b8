"""The proxies of docs/proxies.md, as `make test` unpacks them, with the configurations there."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from tests.support.paths import ROOT
from tests.support.waiting import until

UNPACKED = ROOT / ".venvs" / "proxies"
PAGE = (ROOT / "docs" / "proxies.md").read_text(encoding="utf-8")
MODES = ("own host", "base path", "prefix removed")
"""The order of the configurations of a proxy."""

CLIENT = "127.0.0.2"
"""The address from which tests connect, because 127.0.0.1 is that of the proxies."""

_APACHE_MODULES = ("mpm_event", "authz_core", "headers", "proxy", "proxy_http")
_APACHE = "\n".join(
    f"LoadModule {name}_module {UNPACKED}/usr/lib/apache2/modules/mod_{name}.so"
    for name in _APACHE_MODULES
)
AROUND = {
    "nginx": """
        daemon off; master_process off; pid nginx.pid; events {{}}
        http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;
        fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
        {recipe} }}
    """,
    "HAProxy": "{recipe}\n",
    "Caddy": "{{\nadmin off\ndefault_bind 127.0.0.1\n}}\n{recipe}\n",
    "Apache": f"""{_APACHE}
ServerRoot {{folder}}
DefaultRuntimeDir {{folder}}
PidFile {{folder}}/apache.pid
ErrorLog {{folder}}/apache.log
Listen 127.0.0.1:{{port}}
User nobody
Group nogroup
{{recipe}}
""",
}
"""What each configuration of the page is put into."""

COMMANDS = {
    "nginx": ("usr/sbin/nginx", "-e", "stderr", "-p", "{folder}/", "-c", "{file}"),
    "HAProxy": ("usr/sbin/haproxy", "-db", "-f", "{file}"),
    "Caddy": ("usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", "{file}"),
    "Apache": ("usr/sbin/apache2", "-X", "-f", "{file}"),
}
"""Each starts a proxy in the foreground."""


def recipe(proxy: str, mode: str) -> str:
    """Return the configuration in the section of a proxy."""
    section = PAGE.split(f"\n### {proxy}\n", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    blocks = re.findall(r"^```\w+\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert len(blocks) == len(MODES)
    return str(blocks[MODES.index(mode)])


def configuration(proxy: str, text: str, folder: Path, port: int, server_port: int) -> str:
    """Return a whole configuration file: `text` with its ports replaced."""
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{server_port}")
    text = re.sub(r"listen 80|bind :80", lambda old: f"{old[0].split()[0]} 127.0.0.1:{port}", text)
    text = text.replace("*:80>", f"*:{port}>")
    if proxy == "Caddy":  # by default it would get a certificate
        text = text.replace("airflow.example {", f"http://:{port} {{")
    return AROUND[proxy].format(recipe=text, folder=folder, port=port)


@contextmanager
def running(proxy: str, text: str, folder: Path, server_port: int) -> Iterator[int]:
    """Run a proxy in a folder with a configuration, and yield its port.

    Skips the test if `make test` could not unpack the proxies.
    """
    if not (UNPACKED / "done").exists():
        pytest.skip("the proxies are not unpacked: run `make .venvs/proxies/done` on Debian")
    port, file = _free_port(), folder / "proxy.conf"
    file.write_text(configuration(proxy, text, folder, port, server_port), encoding="utf-8")
    program, *options = (each.format(folder=folder, file=file) for each in COMMANDS[proxy])
    libraries = ":".join(map(str, UNPACKED.glob("usr/lib/*-linux-gnu*")))
    environ = {**os.environ, "LD_LIBRARY_PATH": libraries, "HOME": str(folder)}
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [UNPACKED / program, *options], cwd=folder, env=environ, stdout=log, stderr=log
        )
    try:
        until(lambda: _responds(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


def _responds(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code > 0
    except requests.RequestException:
        return False
