"""Variables that Kubernetes and Docker links set for a service named `xcom` are not settings."""

import os
import sys
from pathlib import Path

import pytest
from xcom_server.settings import Settings, SettingsError

from tests.support.commands import run, xcom_server
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT

KUBERNETES = {
    "XCOM_SERVICE_HOST": "10.0.0.1",
    "XCOM_SERVICE_PORT": "80",
    "XCOM_SERVICE_PORT_HTTP": "80",
    "XCOM_PORT": "tcp://10.0.0.1:80",
    "XCOM_PORT_80_TCP": "tcp://10.0.0.1:80",
    "XCOM_PORT_80_TCP_PROTO": "tcp",
    "XCOM_PORT_80_TCP_PORT": "80",
    "XCOM_PORT_80_TCP_ADDR": "10.0.0.1",
}
IPV6 = {
    "XCOM_UI_SERVICE_HOST": "fd00::1",
    "XCOM_UI_PORT": "udp://[fd00::1]:53",
    "XCOM_UI_PORT_53_UDP": "udp://[fd00::1]:53",
    "XCOM_UI_PORT_53_UDP_PROTO": "udp",
    "XCOM_UI_PORT_53_UDP_ADDR": "fd00::1",
}
DOCKER = {
    "XCOM_NAME": "/client/xcom",
    "XCOM_PORT": "tcp://172.17.0.2:8080",
    "XCOM_PORT_8080_TCP_START": "tcp://172.17.0.2:8080",
    "XCOM_PORT_8080_TCP_PORT_END": "8082",
    "XCOM_ENV_XCOM_BIND": "0.0.0.0:8080",
}


@pytest.mark.parametrize("links", [KUBERNETES, IPV6, DOCKER], ids=["service", "IPv6", "Docker"])
def test_service_links_are_ignored(links: dict[str, str]) -> None:
    assert Settings.from_env({**links, "XCOM_WORKERS": "3"}) == Settings(workers=3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("XCOM_PORT", "8080"),
        ("XCOM_PORT", "http://10.0.0.1:80"),
        ("XCOM_PORT", "tcp://localhost:80"),
        ("XCOM_PORT", ""),
        ("XCOM_SERVICE_HOST", "localhost"),
        ("XCOM_SERVICE_PORT", "http"),
        ("XCOM_PORT_80_TCP_PROTO", "http"),
        ("XCOM_HOST", "10.0.0.1"),
        ("XCOM_NAME", "xcom"),
        ("XCOM_ENV_FILE", "/etc/xcom.env"),  # without the XCOM_NAME of a link
    ],
)
def test_variable_without_the_value_of_a_link_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not a setting"):
        Settings.from_env({name: text})


@pytest.mark.slow
def test_all_commands_run_beside_a_service_named_xcom(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=1, command=None, **KUBERNETES):
        pass
    commands: list[list[str]] = [["db", "check"], ["export"], ["user", "list"]]
    (tmp_path / "xcom-users.json").write_text('{"users": {}}', encoding="utf-8")
    for command in commands:
        assert xcom_server(tmp_path, *command, **KUBERNETES).stderr == ""


@pytest.mark.slow
def test_gunicorn_command_starts_beside_a_service_named_xcom(tmp_path: Path) -> None:
    environ = {**os.environ, **KUBERNETES, "XCOM_DATABASE_URL": f"sqlite:///{tmp_path}/xcom.db"}

    result = run(
        sys.executable, "-m", "gunicorn", "--check-config", "wsgi:app", cwd=ROOT, env=environ
    )

    assert (result.returncode, result.stderr) == (0, "")
