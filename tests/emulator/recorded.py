"""Records of requests that no server has to be sent, and the verdicts on them."""

from typing import Any

from xcom_server.api.emulator.parameters import query_parameters
from xcom_server.emulator.judging import judge
from xcom_server.emulator.records import RequestRecord
from xcom_server.emulator.verdicts import Judgment

VERSIONS = ("2.10.5", "3.3.2")


def record(**fields: Any) -> RequestRecord:
    """Return the record of a GET of v2 with a token, with these fields replaced."""
    given: dict[str, Any] = {
        "at": "2026-01-01T00:00:00.000000+00:00",
        "client": "tests",
        "method": "GET",
        "path": "/api/v2/version",
        "query": "",
        "operation": "v2.get_version",
        "authorization": "bearer",
        "headers": {},
        "body": "",
        "status": 200,
        "content_type": "application/json",
        "response": "{}",
        "total_entries": None,
        "items": None,
        "milliseconds": 1.0,
        "fault": "",
        "auth": "none",
    }
    return RequestRecord(**given | fields)


def judged(*records: RequestRecord, versions: tuple[str, ...] = VERSIONS) -> list[Judgment]:
    """Return the verdicts on requests of a journal."""
    numbered = list(enumerate(records, 1))
    found = judge(numbered, airflow_versions=versions, parameters=query_parameters())
    return [found[number] for number, _ in numbered]
