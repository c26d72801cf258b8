"""Clients that detect the version of Airflow take each branch, with one release at a time.

The three ways are those of public programs: the version endpoint, the document, and a 404.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.commands import run
from tests.support.databases import load
from tests.support.live_server import LiveServer

pytestmark = [pytest.mark.clients, pytest.mark.slow]

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture(scope="module", params=["2.10.5", "3.3.2"])
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, LiveServer]]:
    """Yield a release and a server that emulates only this one and takes any credentials."""
    folder = tmp_path_factory.mktemp("detection")
    release: str = request.param
    with LiveServer(folder, workers=1, XCOM_AUTH="any", XCOM_AIRFLOW_VERSION=release) as server:
        load(server.database_url, (PROGRAMS / "seed.json").read_text(encoding="utf-8"))
        yield release, server


def test_by_the_version_endpoint(live: tuple[str, LiveServer]) -> None:
    release, server = live
    environ = {
        **os.environ,
        "AIRFLOW_URL": server.url,
        "AIRFLOW_USER": "ann",
        "AIRFLOW_PASSWORD": "secret",
        "POLL_SECONDS": "0.01",
    }

    done = run(sys.executable, str(PROGRAMS / "detect_version.py"), env=environ)

    assert done.stdout.splitlines() == [
        f"Airflow {release}",
        "run: success",
        "extract: success",
        "rows: 5",
    ], done.stderr


def test_by_the_document(live: tuple[str, LiveServer]) -> None:
    release, server = live

    document = requests.get(f"{server.url}/openapi.json", timeout=30)

    is_airflow_3 = document.status_code == 200 and any(
        path.startswith("/api/v2/") for path in document.json()["paths"]
    )
    assert is_airflow_3 == release.startswith("3")


def test_by_a_404(live: tuple[str, LiveServer]) -> None:
    release, server = live

    found = [
        version
        for version in ("v1", "v2")
        if requests.get(f"{server.url}/api/{version}/dags", timeout=30).status_code != 404
    ]

    assert found == {"2.10.5": ["v1"], "3.3.2": ["v2"]}[release]
