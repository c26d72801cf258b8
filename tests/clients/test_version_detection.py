"""Clients that detect the version of Airflow take each branch, with one release at a time.

The three ways are those of public programs: the version endpoint, the document, and a 404.
"""

import os
import sys
from pathlib import Path

import pytest
import requests
from xcom_server.testing import XcomServer

from tests.support.commands import run

pytestmark = [
    pytest.mark.clients,
    pytest.mark.slow,
    pytest.mark.xcom(seed="programs/seed.json"),
]

PROGRAMS = Path(__file__).with_name("programs")


of_each_release = pytest.mark.parametrize(
    "release",
    [
        pytest.param(release, marks=pytest.mark.xcom(airflow_version=release))
        for release in ("2.10.5", "3.3.2")
    ],
)


@of_each_release
def test_by_the_version_endpoint(release: str, xcom: XcomServer) -> None:
    environ = {
        **os.environ,
        "AIRFLOW_URL": xcom.url,
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


@of_each_release
def test_by_the_document(release: str, xcom: XcomServer) -> None:
    document = requests.get(f"{xcom.url}/openapi.json", timeout=30)

    is_airflow_3 = document.status_code == 200 and any(
        path.startswith("/api/v2/") for path in document.json()["paths"]
    )
    assert is_airflow_3 == release.startswith("3")


@of_each_release
def test_by_a_404(release: str, xcom: XcomServer) -> None:
    found = [
        version
        for version in ("v1", "v2")
        if requests.get(f"{xcom.url}/api/{version}/dags", timeout=30).status_code != 404
    ]

    assert found == {"2.10.5": ["v1"], "3.3.2": ["v2"]}[release]
