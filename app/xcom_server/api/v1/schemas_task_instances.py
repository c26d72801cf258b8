"""Task instances in requests and responses of v1, with sorted fields as in Airflow 2."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response
from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length

from xcom_server.api import json_io
from xcom_server.api.serialization import Column, compile_dump
from xcom_server.api.v1.schemas import Rfc3339Field
from xcom_server.api.v1.schemas_runs import NoteSchema
from xcom_server.states import TASK_STATES
from xcom_server.storage.task_instances import TaskInstance

NO_DETAILS = "{}"
PAGE_IN_PARTS = 500  # task instances; a longer page is written in parts

_BEGIN, _END = '{\n  "task_instances": [', "\n  ]\n}\n"

_NEW_STATES = {"awaiting_input": "deferred"}
"""The states of Airflow 3 that Airflow 2 does not have -> the most similar ones."""

STATES = tuple(state for state in TASK_STATES if state not in _NEW_STATES)
"""The states of a task instance in Airflow 2, beside null."""

_NEW_FIELDS = {"trigger": "queue", "triggerer_job": "dag_display_name"}
"""Members of `details` -> a field in them that Airflow 2 does not have."""


class StateField(fields.String):
    """The state of a task instance, by its name in Airflow 2."""

    def format_many(self, column: Column) -> Column:
        """Return the states for those of Airflow 3."""
        return [_NEW_STATES.get(state, state) for state in column]


class SecondsField(fields.Float):
    """A duration in seconds."""

    def format_many(self, column: Column) -> Column:
        """Return the numbers unchanged."""
        return column


class DetailField(fields.Raw):
    """A member of `details`, with the default `dump_default`."""

    def format_many(self, column: Column) -> Column:
        """Return the member of each JSON object."""
        name, default = str(self.name), self.dump_default
        return [
            default if text == NO_DETAILS else _adapted(name, json.loads(text).get(name, default))
            for text in column
        ]


class TaskInstanceSchema(Schema):
    """A task instance."""

    dag_id = fields.String()
    dag_run_id = fields.String(attribute="run_id")
    duration = SecondsField()
    end_date = Rfc3339Field()
    execution_date = Rfc3339Field(attribute="run_date")
    executor = fields.String()
    executor_config = fields.String()
    hostname = fields.String()
    map_index = fields.Integer()
    max_tries = fields.Integer()
    note = fields.String()
    operator = fields.String()
    pid = fields.Integer()
    pool = fields.String()
    pool_slots = fields.Integer()
    priority_weight = fields.Integer()
    queue = fields.String()
    queued_when = Rfc3339Field()
    rendered_fields = DetailField(attribute="details", dump_only=True, dump_default={})
    rendered_map_index = fields.String()
    sla_miss = DetailField(attribute="details", dump_only=True, dump_default=None)
    start_date = Rfc3339Field()
    state = StateField()
    task_display_name = fields.String()
    task_id = fields.String()
    trigger = DetailField(attribute="details", dump_only=True, dump_default=None)
    triggerer_job = DetailField(attribute="details", dump_only=True, dump_default=None)
    try_number = fields.Integer()
    unixname = fields.String()


NOT_OF_A_TRY = (
    *("execution_date", "note", "rendered_fields", "rendered_map_index"),
    *("sla_miss", "trigger", "triggerer_job"),
)
"""The fields of a task instance that its tries do not have."""


_dump = compile_dump(TaskInstanceSchema())


class TaskInstanceReferenceSchema(Schema):
    """A task instance by its identity."""

    dag_id = fields.String()
    dag_run_id = fields.String(attribute="run_id")
    execution_date = Rfc3339Field(attribute="run_date")
    task_id = fields.String()


class ListTaskInstancesSchema(Schema):
    """The body of a list of task instances."""

    page_offset = fields.Integer(load_default=0)
    page_limit = fields.Integer(load_default=100)
    dag_ids = fields.List(fields.String(), load_default=list)
    dag_run_ids = fields.List(fields.String(), load_default=list)
    task_ids = fields.List(fields.String(), load_default=list)
    execution_date_gte = Rfc3339Field()
    execution_date_lte = Rfc3339Field()
    start_date_gte = Rfc3339Field()
    start_date_lte = Rfc3339Field()
    end_date_gte = Rfc3339Field()
    end_date_lte = Rfc3339Field()
    duration_gte = fields.Float()
    duration_lte = fields.Float()
    state = fields.List(fields.String(allow_none=True), load_default=list)
    pool = fields.List(fields.String(), load_default=list)
    queue = fields.List(fields.String(), load_default=list)
    executor = fields.List(fields.String(), load_default=list)


class NewStateSchema(Schema):
    """The body that changes the state of one task instance."""

    dry_run = fields.Boolean(load_default=True)
    new_state = fields.String(required=True)


class TaskInstanceNoteSchema(NoteSchema):
    """The body that changes the note of a task instance; `map_index` is ignored."""

    map_index = fields.Integer()


class ClearTaskInstancesSchema(Schema):
    """The body that clears task instances of a DAG, which are those of one run or of a range."""

    dry_run = fields.Boolean(load_default=True)
    task_ids = fields.List(fields.String(), load_default=None, validate=Length(min=1))
    dag_run_id = fields.String(load_default=None)
    start_date = Rfc3339Field(load_default=None)
    end_date = Rfc3339Field(load_default=None)
    only_failed = fields.Boolean(load_default=True)
    only_running = fields.Boolean(load_default=False)
    include_subdags = fields.Boolean()
    include_parentdag = fields.Boolean()
    reset_dag_runs = fields.Boolean(load_default=False)
    include_upstream = fields.Boolean(load_default=False)
    include_downstream = fields.Boolean(load_default=False)
    include_future = fields.Boolean(load_default=False)
    include_past = fields.Boolean(load_default=False)

    @validates_schema
    def check(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Raise ValidationError for fields that contradict each other."""
        start, end = data["start_date"], data["end_date"]
        if data["only_failed"] and data["only_running"]:
            raise ValidationError("only_failed and only_running both are set to True")
        if start and end and start > end:
            raise ValidationError("end_date is sooner than start_date")
        given = [name for name in ("start_date", "end_date") if data[name]]
        if data["dag_run_id"] and given:
            names = f"({' and '.join(given)})" if given[1:] else given[0]
            raise ValidationError(f"Exactly one of dag_run_id or {names} must be provided")


def dump_instances(instances: Iterable[TaskInstance]) -> list[dict[str, Any]]:
    """Return the fields of task instances; their label is null if it is only the map index."""
    return _dump(
        [
            each._replace(rendered_map_index=None)
            if each.rendered_map_index == str(each.map_index)
            else each
            for each in instances
        ]
    )


def page_in_parts(instances: Sequence[TaskInstance], total: int) -> Response:
    """Return a page of task instances, of which only some are in memory as dictionaries."""
    parts = (
        _rows_json(instances[start : start + PAGE_IN_PARTS])
        for start in range(0, len(instances), PAGE_IN_PARTS)
    )
    rows = ",".join(json_io.bounded(parts))
    return json_io.indented_json_with("task_instances", rows, {"total_entries": total})


def _rows_json(instances: Sequence[TaskInstance]) -> str:
    rows = {"task_instances": dump_instances(instances)}
    text = task_instances_json(rows, instances).get_data(as_text=True)
    return text.removeprefix(_BEGIN).removesuffix(_END)


def one_instance_json(instance: TaskInstance) -> Response:
    """Return the response with one task instance."""
    return task_instances_json(dump_instances([instance])[0], [instance])


def task_instances_json(data: dict[str, Any], instances: Iterable[TaskInstance]) -> Response:
    """Return a JSON response that contains fields of task instances."""
    if all(map(_is_plain, instances)):
        return json_io.indented_json_fast(data)
    return json_io.indented_json(data)


def _is_plain(instance: TaskInstance) -> bool:
    """Return whether the faster function writes a task instance with the same bytes.

    It writes other exponents than Python's json, and does not sort the keys of the details.
    """
    seconds = instance.duration
    return instance.details == NO_DETAILS and (not seconds or 1e-4 <= seconds < 1e16)


def _adapted(name: str, value: Any) -> Any:
    """Return a member of `details` without the fields that only Airflow 3 has."""
    left_out = _NEW_FIELDS.get(name)
    if left_out is None or value is None:
        return value
    return {each: value[each] for each in value if each != left_out}
