"""What an XCom entry looks like in v2: its fields in the order in which Airflow 3.3.2 has them."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields


class Zulu(fields.DateTime):
    """A moment, shown in UTC as `2024-01-01T00:00:00Z`."""

    def _serialize(self, value: datetime | None, *args: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat().replace("+00:00", "Z")


class XComResponseSchema(Schema):
    """An entry in a list: everything but its value.  Names to display are the ids here."""

    key = fields.String()
    timestamp = Zulu()
    logical_date = Zulu()
    map_index = fields.Integer()
    task_id = fields.String()
    dag_id = fields.String()
    run_id = fields.String()
    dag_display_name = fields.Function(lambda entry: entry.dag_id)
    task_display_name = fields.Function(lambda entry: entry.task_id)
    run_after = Zulu()


class XComResponseNativeSchema(XComResponseSchema):
    """An entry whose value is JSON."""

    value = fields.Raw()


class XComCollectionResponseSchema(Schema):
    """A page of entries, and how many there are in all."""

    xcom_entries = fields.List(fields.Nested(XComResponseSchema), attribute="entries")
    total_entries = fields.Integer()
