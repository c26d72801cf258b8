"""DAG runs in requests and responses of v1, with sorted fields as in Airflow 2."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connexion.exceptions import BadRequestProblem
from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validates_schema
from marshmallow.validate import Length
from pydantic_core import PydanticSerializationError, to_json

from xcom_server import clock
from xcom_server.api.json_io import is_plain
from xcom_server.api.json_rows import RowWriter, Value, cached_for_short_texts
from xcom_server.api.serialization import Column, compile_columns, parse_many, sorted_keys
from xcom_server.api.v1.schemas import Rfc3339Field
from xcom_server.formats.rfc3339 import parse_with_offset
from xcom_server.states import INTERNAL_TYPES
from xcom_server.storage.models import MAX_ID_LENGTH
from xcom_server.storage.runs import DagRun

NO_CONF = "{}"
MAX_NOTE_LENGTH = 1000  # in characters

_RUN_TYPES = {
    "asset_triggered": "dataset_triggered",
    "asset_materialization": "manual",
    "operator_triggered": "manual",
}
"""The names of Airflow 3 that Airflow 2 does not have -> those of Airflow 2."""


class JsonField(fields.Raw):
    """JSON that is stored as text."""

    def format_many(self, column: Column) -> Column:
        """Return the parsed values, with sorted keys."""
        return [*map(sorted_keys, parse_many(column))]


class RunTypeField(fields.String):
    """The type of a run by its name in Airflow 2."""

    def format_many(self, column: Column) -> Column:
        """Return the names for those of Airflow 3."""
        return [_RUN_TYPES.get(name, name) for name in column]


class ExternalTriggerField(fields.Boolean):
    """Whether a run was triggered, which its type shows."""

    def format_many(self, column: Column) -> Column:
        """Return whether these are types of triggered runs."""
        return [name not in INTERNAL_TYPES for name in column]


class OffsetField(Rfc3339Field):
    """A datetime that keeps its offset from UTC, which the response to a trigger repeats."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        try:
            return parse_with_offset(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None


class DagRunSchema(Schema):
    """A run in a response; runs without a logical date have the date after which they run."""

    conf = JsonField()
    dag_id = fields.String()
    dag_run_id = fields.String(attribute="run_id")
    data_interval_end = Rfc3339Field()
    data_interval_start = Rfc3339Field()
    end_date = Rfc3339Field()
    execution_date = Rfc3339Field(attribute="run_date", dump_only=True)
    external_trigger = ExternalTriggerField(attribute="run_type", dump_only=True)
    last_scheduling_decision = Rfc3339Field()
    logical_date = Rfc3339Field(attribute="run_date")
    note = fields.String()
    run_type = RunTypeField()
    start_date = Rfc3339Field()
    state = fields.String()


_SAME = {"execution_date": "logical_date"}  # two names of one field
_WRITTEN = DagRunSchema(exclude=[*_SAME])
_columns = compile_columns(_WRITTEN)
_WRITER = RowWriter(
    {name: Value(_SAME.get(name, name)) for name in DagRunSchema().dump_fields},
    dates=[name for name, field in _WRITTEN.dump_fields.items() if isinstance(field, Rfc3339Field)],
    texts=["conf"],
    utc="+00:00",
    indent=4,
)


def runs_as_json(runs: Sequence[DagRun]) -> str:
    """Return the fields of runs in an indented list, without its brackets.

    Raises PydanticSerializationError for a lone surrogate.
    """
    columns = _columns(runs)
    columns["conf"] = [*map(_indented, columns["conf"])]
    return _WRITER.write(columns)


@cached_for_short_texts
def _indented(text: str) -> str:
    """Return a JSON text with sorted keys, indented as the member of a row in a list."""
    value = json.loads(text)
    try:
        written = to_json(sorted_keys(value), indent=2, ensure_ascii=True).decode()
    except PydanticSerializationError:  # a lone surrogate
        written = ""
    if not written or not is_plain(value):
        written = json.dumps(value, indent=2, sort_keys=True)
    return written.replace("\n", "\n      ")


class TriggerSchema(Schema):
    """The body that triggers a run; dates keep their offset, and `run_id` can be empty."""

    run_id = fields.String(data_key="dag_run_id", validate=Length(max=MAX_ID_LENGTH))
    logical_date = OffsetField()
    conf = fields.Dict(load_default=dict)
    data_interval_start = OffsetField(allow_none=True, load_default=None)
    data_interval_end = OffsetField(allow_none=True, load_default=None)
    note = fields.String(allow_none=True, load_default=None, validate=Length(max=MAX_NOTE_LENGTH))

    @pre_load
    def add_defaults(self, data: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Return the body with a logical date and a run id.

        Raises BadRequestProblem if the two names of the logical date have different values.
        """
        given = dict(data)
        dates = [given.pop(name) for name in ("logical_date", "execution_date") if name in data]
        if dates[1:] not in ([], dates[:1]):
            raise BadRequestProblem(
                "logical_date conflicts with execution_date", f"{dates[0]!r} != {dates[1]!r}"
            )
        date = given["logical_date"] = dates[0] if dates else clock.now().isoformat()
        if "dag_run_id" not in given:
            given["dag_run_id"] = _id_for(date)
        return given

    @validates_schema
    def check_interval(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Raise ValidationError for one end of the data interval without the other."""
        if (data["data_interval_start"] is None) != (data["data_interval_end"] is None):
            raise ValidationError(
                "Both 'data_interval_start' and 'data_interval_end' must be specified together"
            )


class ListRunsSchema(Schema):
    """The body of a list of runs; the date ranges are in `ranges`."""

    order_by = fields.String(load_default="id")
    page_offset = fields.Integer(load_default=0)
    page_limit = fields.Integer(load_default=100)
    dag_ids = fields.List(fields.String(), load_default=list)
    states = fields.List(fields.String(), load_default=list)
    execution_date_gte = Rfc3339Field()
    execution_date_lte = Rfc3339Field()
    start_date_gte = Rfc3339Field()
    start_date_lte = Rfc3339Field()
    end_date_gte = Rfc3339Field()
    end_date_lte = Rfc3339Field()
    updated_at_gte = Rfc3339Field()
    updated_at_lte = Rfc3339Field()

    @post_load
    def collect_ranges(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Return the data with `ranges`; Airflow ignores those of `updated_at`."""
        ranges = {name: date for name, date in data.items() if isinstance(date, datetime)}
        return data | {
            "ranges": {
                name: date for name, date in ranges.items() if not name.startswith("updated_at")
            }
        }


class StateSchema(Schema):
    """The body that changes the state of a run."""

    state = fields.String(required=True)


class NoteSchema(Schema):
    """The body that changes a note."""

    note = fields.String(required=True, validate=Length(max=MAX_NOTE_LENGTH))


class ClearSchema(Schema):
    """The body that clears a run."""

    dry_run = fields.Boolean(load_default=True)


def generated_id(logical_date: datetime) -> str:
    """Return the id that Airflow 2 generates for a run with this logical date."""
    return f"manual__{logical_date.isoformat()}"


def _id_for(date: str | None) -> str:
    """Return the generated id; raise BadRequestProblem with Airflow's text for null."""
    if date is None:
        raise BadRequestProblem(
            "Incorrect datetime argument",
            "argument 'input': 'NoneType' object cannot be converted to 'PyString'",
        )
    return generated_id(parse_with_offset(date))
