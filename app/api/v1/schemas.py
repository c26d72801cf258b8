"""What an XCom entry looks like in v1, on its way in and on its way out."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from app.dates import parse_rfc3339


class Rfc3339(fields.DateTime):
    """A moment with a time zone, shown in UTC as `2024-01-01T00:00:00+00:00`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        try:
            return parse_rfc3339(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None


class XComCollectionItemSchema(Schema):
    """An entry in a list: everything but its value."""

    key = fields.String(required=True)
    timestamp = Rfc3339()
    execution_date = Rfc3339(attribute="run_date")
    map_index = fields.Integer(strict=True)
    task_id = fields.String()
    dag_id = fields.String()


class XComSchema(XComCollectionItemSchema):
    """An entry whose value is shown as Python's `str()` of it."""

    value = fields.String(required=True, allow_none=True)


class XComNativeSchema(XComCollectionItemSchema):
    """An entry whose value is shown as JSON."""

    value = fields.Raw()


class XComCollectionSchema(Schema):
    """A page of entries, and how many there are in all."""

    xcom_entries = fields.List(fields.Nested(XComCollectionItemSchema), attribute="entries")
    total_entries = fields.Integer()
