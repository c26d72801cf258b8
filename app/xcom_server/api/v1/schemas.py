"""XCom entries in requests and responses of v1, with sorted fields as in Airflow 2."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields
from pydantic_core import from_json, to_json

from xcom_server.api.serialization import Column, UtcDateTimeField
from xcom_server.formats.rfc3339 import parse_rfc3339


class Rfc3339Field(UtcDateTimeField):
    """A datetime with a time zone, written in UTC as `2024-01-01T00:00:00+00:00`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        try:
            return parse_rfc3339(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None

    def format_many(self, column: Column) -> Column:
        """Return each datetime as text; this takes a third of the time of `isoformat`."""
        texts: Column = from_json(to_json(column).replace(b"Z", b"+00:00"))
        return texts


class XComCollectionItemSchema(Schema):
    """An entry in a list, without its value."""

    dag_id = fields.String()
    execution_date = Rfc3339Field(attribute="run_date")
    key = fields.String(required=True)
    map_index = fields.Integer()  # the document excludes fractions
    task_id = fields.String()
    timestamp = Rfc3339Field()


class XComSchema(XComCollectionItemSchema):
    """An entry with its value, which is a string or null in a request."""

    value = fields.String(required=True, allow_none=True)
