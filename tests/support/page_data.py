"""The data of the screenshots of the emulator's page, which are always the same."""

import json
from typing import Any

from xcom_server.storage.emulator import EmulatorState

from tests.support.page import ENTRY, INSTANCE, RUN, record

VALUES: dict[str, Any] = {
    "return_value": {"rows": 120, "ok": True, "ratio": None},
    "count": 3,
    "path": "s3://bucket/day=2026-01-01/part-0.parquet",
    "columns": ["id", "name", "Größe"],
    "nothing": None,
    "page": '<b onclick="alert(1)">\u202ebold</b>',
}
_LIST = {"total_entries": 250, "items": 100, "operation": "v1.get_xcom_entries"}
_DETAIL = "Extra query parameter(s) token not in spec"
_PROBLEM = {"detail": _DETAIL, "status": 400, "title": None, "type": "about:blank"}
_V2 = {"client": "etl-loader/2.1 httpx/0.28.1", "authorization": "bearer"}
_RUN = {"dag_run_id": RUN, "dag_id": "etl", "state": "queued"}
_REQUESTS: tuple[dict[str, Any], ...] = (
    {"path": ENTRY.rpartition("/")[0], "response": '{"xcom_entries": []}', **_LIST},
    {},
    {
        "query": "token=***",
        "status": 400,
        "content_type": "application/problem+json",
        "response": json.dumps(_PROBLEM, indent=2),
    },
    {"path": f"/api/v2/{INSTANCE}/xcomEntries/return_value", "operation": "v2.get_xcom_entry"},
    {
        "method": "POST",
        "path": "/api/v2/dags/etl/dagRuns",
        "operation": "v2.trigger_dag_run",
        "body": '{"conf": {"day": "2026-01-01"}, "logical_date": null}',
        "response": json.dumps(_RUN),
        **_V2,
    },
    {
        "path": f"/api/v2/dags/etl/dagRuns/{RUN}",
        "operation": "v2.get_dag_run",
        "status": 503,
        "fault": "status",
        "response": '{"detail": "Service Unavailable"}',
        **_V2,
    },
)


def record_requests(state: EmulatorState) -> list[int]:
    """Add the requests to the journal, and return their numbers."""
    return [
        record(
            state,
            at=f"2026-01-01T09:30:{second:02}.{second * 137 % 1000:03}000+00:00",
            milliseconds=0.8 + second * 0.3,
            **fields,
        )
        for second, fields in enumerate(_REQUESTS)
    ]
