"""An XCom entry in v2's responses; fields are in the order of Airflow 3.3.2."""

from marshmallow import Schema, fields

from xcom_server.api.serialization import UtcDateTimeField


class XComResponseSchema(Schema):
    """An entry without its value; display names are the same as ids here."""

    key = fields.String()
    timestamp = UtcDateTimeField()
    logical_date = UtcDateTimeField()
    map_index = fields.Integer()
    task_id = fields.String()
    dag_id = fields.String()
    run_id = fields.String()
    dag_display_name = fields.String(attribute="dag_id", dump_only=True)
    task_display_name = fields.String(attribute="task_id", dump_only=True)
    run_after = UtcDateTimeField()
