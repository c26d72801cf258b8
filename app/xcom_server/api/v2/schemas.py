"""What an XCom entry looks like in v2: its fields in the order in which Airflow 3.3.2 has them."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from xcom_server.api.serialization import Moment


class Zulu(Moment):
    """A moment, shown in UTC as `2024-01-01T00:00:00Z`."""

    def _serialize(self, value: datetime | None, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat().replace("+00:00", "Z")


class XComResponseSchema(Schema):
    """An entry, everything but its value.  Names to display are the ids here."""

    key = fields.String()
    timestamp = Zulu()
    logical_date = Zulu()
    map_index = fields.Integer()
    task_id = fields.String()
    dag_id = fields.String()
    run_id = fields.String()
    dag_display_name = fields.String(attribute="dag_id", dump_only=True)
    task_display_name = fields.String(attribute="task_id", dump_only=True)
    run_after = Zulu()
