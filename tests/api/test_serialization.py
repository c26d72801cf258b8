"""The fast serialization gives the same bytes as marshmallow and Python's json."""

from datetime import UTC
from typing import Any

import pytest
from connexion.json_schema import resolve_refs
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import Schema, fields
from pydantic_core import to_json
from xcom_server.api import json_io
from xcom_server.api.connexion_adapter import body_errors
from xcom_server.api.json_schema import compile_request_schema
from xcom_server.api.serialization import compile_dump
from xcom_server.api.v1.schemas import XComCollectionItemSchema
from xcom_server.api.v2.schemas import XComResponseSchema
from xcom_server.storage.models import ListedEntry

from tests.support.documents import DOCUMENTS

datetimes = st.datetimes(timezones=st.just(UTC))
names = st.text()
entries = st.builds(
    ListedEntry,
    names,
    names,
    names,
    st.integers(-1, 2**31 - 1),
    names,
    datetimes,
    st.none() | datetimes,
    datetimes,
)
texts = st.recursive(
    st.none() | st.text(st.characters(exclude_categories=())) | st.integers(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from("abc"), inner).map(
            lambda given: dict(sorted(given.items()))
        )
    ),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "value", "map_index", "timestamp", "other"]), inner
        )
    ),
)

BODY = resolve_refs(DOCUMENTS["v1"])["components"]["schemas"]["XCom"]
"""The schema of request bodies in v1."""


@given(st.lists(entries, max_size=5))
def test_compiled_dump_equals_marshmallows(page: list[ListedEntry]) -> None:
    for schema in (XComCollectionItemSchema(), XComResponseSchema()):
        expected = schema.dump(page, many=True)
        dumped = compile_dump(schema)(page)

        assert to_json(dumped) == to_json(expected)
        assert [list(each) for each in dumped] == [list(each) for each in expected]


def test_unsupported_field_fails_when_compiled() -> None:
    with pytest.raises(TypeError, match="Float"):
        compile_dump(Schema.from_dict({"weight": fields.Float()})())


@given(texts)
def test_fast_indented_json_equals_pythons(data: Any) -> None:
    with Flask("any").app_context():
        assert json_io.indented_json_fast(data).get_data() == json_io.indented_json(data).get_data()


@given(json_values)
@example({"map_index": 0.0})
def test_both_validators_agree_on_every_body(body: Any) -> None:
    # The validator of the texts has draft 4, and is only used for bodies that are invalid.
    schema = {**BODY, "x-whole-floats": False}

    is_valid = compile_request_schema(schema, {}).is_valid(body)

    assert is_valid == (next(body_errors(schema, {})(body), None) is None)


def test_whole_float_is_an_integer_in_the_body_of_an_entry() -> None:
    validator = compile_request_schema(BODY, {})

    assert [validator.is_valid({"map_index": each}) for each in (0, 0.0, 0.5)] == [
        True,
        True,
        False,
    ]
