"""What an XCom entry looks like in v1, on its way in and on its way out.

Fields are in the order of the alphabet, as Airflow 2 sends them.
"""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from xcom_server.api.serialization import Column, Moment, format_many_rfc3339
from xcom_server.formats.rfc3339 import parse_rfc3339


class Rfc3339(Moment):
    """A moment with a time zone, shown in UTC as `2024-01-01T00:00:00+00:00`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        try:
            return parse_rfc3339(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None

    def shown(self, moments: Column) -> Column:
        """Return what each moment looks like."""
        return format_many_rfc3339(moments)


class XComCollectionItemSchema(Schema):
    """An entry in a list: everything but its value."""

    dag_id = fields.String()
    execution_date = Rfc3339(attribute="run_date")
    key = fields.String(required=True)
    map_index = fields.Integer(strict=True)
    task_id = fields.String()
    timestamp = Rfc3339()


class XComSchema(XComCollectionItemSchema):
    """An entry and its value: as text on its way in, and on its way out as it is given."""

    value = fields.String(required=True, allow_none=True)
