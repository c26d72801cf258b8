"""Marshmallow schemas compiled into functions that dump a whole page, one field at a time.

A schema defines the fields, their order and their types. Marshmallow itself would take longer for
a page of entries than everything else together.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from marshmallow import Schema, fields

Column = list[Any]  # the values of one field, an item for each entry


class UtcDateTimeField(fields.DateTime):
    """A datetime in UTC."""

    def format_many(self, column: Column) -> Column:
        """Return what JSON shows for each datetime; the JSON writer itself writes `…Z`."""
        return column


def compile_dump(schema: Schema) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
    """Return a function that dumps entries as the schema does, its fields in the same order.

    Values of String and Integer fields are not converted. Raises TypeError for other fields,
    except UtcDateTimeField.
    """
    columns = [
        (field.data_key or name, attrgetter(field.attribute or name), _formatter(field))
        for name, field in schema.dump_fields.items()
    ]
    blank = dict.fromkeys(name for name, _, _ in columns)

    def dump(entries: Sequence[Any]) -> list[dict[str, Any]]:
        rows = [blank.copy() for _ in entries]  # a third of the time of dict(zip(…)) per entry
        for name, get, format_many in columns:
            for row, value in zip(rows, format_many([*map(get, entries)]), strict=True):
                row[name] = value
        return rows

    return dump


def _formatter(field: fields.Field[Any]) -> Callable[[Column], Column]:
    if isinstance(field, UtcDateTimeField):
        return field.format_many
    if type(field) in (fields.String, fields.Integer):
        return lambda column: column
    raise TypeError(f"{type(field).__name__} cannot be dumped")
