"""Under a prefix, which gunicorn reads from SCRIPT_NAME, every path begins with it."""

from pathlib import Path

import pytest
import requests

from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow

ENTRIES = "dags/etl/dagRuns/manual_1/taskInstances/extract/xcomEntries"


def test_both_versions_and_the_start_page_work_under_a_prefix(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=1, SCRIPT_NAME="/airflow") as server:
        assert server.url.endswith("/airflow")
        created = requests.post(f"{server.api}/{ENTRIES}", json={"key": "k", "value": "v"})
        read = requests.get(f"{server.url}/api/v2/{ENTRIES}/k")
        missing = requests.get(f"{server.url}/api/v2/{ENTRIES}/nothing")
        page = requests.get(server.url, headers={"Accept": "text/html"})

    assert (created.status_code, read.json()["value"]) == (200, "v")
    assert missing.json() == {"detail": "XCom entry with key: `nothing` not found"}
    assert 'href="airflow/api/v1/ui/"' in page.text
