"""A body with many invalid items gets the first errors, and costs no memory for the others."""

import random
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema
from xcom_server.api.v2.bounded_errors import MAX_ERRORS, bounded_list

from tests.support.memory import MIB, peak_growth

TEXT = core_schema.str_schema()
ITEMS = {
    "texts": TEXT,
    "texts or null": core_schema.nullable_schema(TEXT),
    "names": core_schema.literal_schema(["a", "b"]),
    "texts or pairs": core_schema.union_schema(
        [TEXT, core_schema.tuple_schema([TEXT, core_schema.int_schema()])]
    ),
}
VALUES = ["a", "c", "b", 0, None, [], ["a", 1], ["a", "x"], {}]


def outcome(schema: CoreSchema, value: Any) -> Any:
    field = core_schema.model_fields_schema({"ids": core_schema.model_field(schema)})
    try:
        return SchemaValidator(field).validate_python({"ids": value})[0]
    except ValidationError as error:
        return error.errors(include_url=False)[:MAX_ERRORS]


@pytest.mark.parametrize("items", ITEMS.values(), ids=ITEMS)
@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2500])
def test_result_is_that_of_the_whole_list(items: CoreSchema, size: int) -> None:
    choose = random.Random(size)
    for errors in (0, 1, 3, 200):
        value = [
            choose.choice(VALUES) if choose.random() * size < errors else "a" for _ in range(size)
        ]
        expected = outcome(core_schema.list_schema(items), value)

        assert outcome(bounded_list(items), value) == expected


@pytest.mark.parametrize("value", [None, "text", {"a": 1}, 5])
def test_value_that_is_no_list_gets_the_same_error(value: Any) -> None:
    assert outcome(bounded_list(TEXT), value) == outcome(core_schema.list_schema(TEXT), value)


LISTS = ",".join(["[]"] * (MIB // 3 - 10))
MEMBERS = ",".join(f'"{number:05}":0' for number in range(100_000))
BODIES = {"clearTaskInstances": f'{{"task_ids":[{LISTS}]}}', "dagRuns": f"{{{MEMBERS}}}"}


@pytest.mark.parametrize("path", BODIES)
def test_many_errors_cost_little_memory(client: FlaskClient, path: str) -> None:
    client.post(f"/api/v2/dags/etl/{path}", data="{}", content_type="application/json")

    answer, mib = peak_growth(
        lambda: client.post(
            f"/api/v2/dags/etl/{path}", data=BODIES[path], content_type="application/json"
        )
    )

    assert answer.status_code == 422
    assert len(answer.get_json()["detail"]) == MAX_ERRORS
    assert mib < 64
