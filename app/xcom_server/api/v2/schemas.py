"""XCom entries in responses of v2, with the fields in the order of Airflow 3.3.2."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from xcom_server.api.serialization import UtcDateTimeField


class ZuluField(UtcDateTimeField):
    """A datetime, written in UTC as `2024-01-01T00:00:00Z`."""

    def _serialize(self, value: datetime | None, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat().replace("+00:00", "Z")


class XComResponseSchema(Schema):
    """An entry without its value; display names are always equal to the ids."""

    key = fields.String()
    timestamp = ZuluField()
    logical_date = ZuluField()
    map_index = fields.Integer()
    task_id = fields.String()
    dag_id = fields.String()
    run_id = fields.String()
    dag_display_name = fields.String(attribute="dag_id", dump_only=True)
    task_display_name = fields.String(attribute="task_id", dump_only=True)
    run_after = ZuluField()
