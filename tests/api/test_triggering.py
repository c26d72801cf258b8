"""Rules for triggered runs that both versions share: ids, and params in `conf`."""

from typing import Any

import jsonschema
import pytest
from xcom_server.api.params import invalid_param
from xcom_server.api.run_ids import RunIdRules
from xcom_server.settings import Settings

RULES = RunIdRules(
    Settings().allowed_run_id_pattern,
    asset_type="asset_triggered",
    reserved=("scheduled", "backfill", "asset_triggered"),
)
LETTERS = RunIdRules(" ^[a-z]+$ ", asset_type="asset_triggered", reserved=())
PARAMS: dict[str, dict[str, Any]] = {
    "count": {"value": 3, "schema": {"type": "integer", "minimum": 1, "maximum": 10}},
    "day": {"value": "2024-01-01", "schema": {"type": "string"}},
    "plain": {"value": "x"},
}


@pytest.mark.parametrize("run_id", ["a", "a.b", "x:y+z", "manual__x", "a..b", "scheduled_x"])
def test_run_id_is_allowed(run_id: str) -> None:
    assert RULES.error(run_id) is None


@pytest.mark.parametrize("run_id", ["a/b", "a b", "ü", "a\nb", "a\n", "*", " x"])
def test_run_id_that_the_pattern_does_not_match_is_an_error(run_id: str) -> None:
    assert RULES.error(run_id) == (
        f"The run_id provided '{run_id}' does not match regex pattern '^[A-Za-z0-9_.~:+-]+$' or"
        r" '^(?:manual|scheduled|asset_triggered)__(?:\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00)$'"
    )


@pytest.mark.parametrize("run_type", ["scheduled", "backfill", "asset_triggered"])
def test_prefix_of_another_type_is_reserved(run_type: str) -> None:
    assert RULES.error(f"{run_type}__x") == (
        f"A manual DAG run cannot use ID '{run_type}__x' since it is reserved for {run_type} runs"
    )


@pytest.mark.parametrize(
    ("run_id", "is_allowed"),
    [
        ("abc", True),
        ("ABC", False),
        ("manual__2024-01-01T00:00:00+00:00", True),
        ("manual__2024-01-01T00:00:00.5+00:00", False),
        ("manual__2024-01-01T00:00:00+02:00", False),
    ],
)
def test_ids_with_whole_seconds_need_no_match_of_the_configured_pattern(
    run_id: str, is_allowed: bool
) -> None:
    assert (LETTERS.error(run_id) is None) == is_allowed


def test_id_with_nul_is_never_allowed() -> None:
    rules = RunIdRules(".*", asset_type="asset_triggered", reserved=())

    assert rules.error("a b") is None
    assert rules.error("a\0b") is not None


@pytest.mark.parametrize("conf", [{}, {"count": 10, "plain": None}, {"unknown": object()}])
def test_valid_params_are_no_error(conf: dict[str, Any]) -> None:
    assert invalid_param(PARAMS, conf) is None


def test_error_names_the_first_invalid_param_and_its_schema() -> None:
    assert invalid_param(PARAMS, {"count": 11, "day": 1}) == (
        "Invalid input for param count: 11 is greater than the maximum of 10\n\n"
        "Failed validating 'maximum' in schema:\n"
        "    {'type': 'integer', 'minimum': 1, 'maximum': 10}\n\n"
        "On instance:\n"
        "    11"
    )


@pytest.mark.parametrize(
    "items",
    [
        [],
        [1, True, "1", [1], [True]],
        [{"a": 1}, {"a": 2}, {"b": 1}],
        [1, 1.0],
        [{"a": 1, "b": [0]}, {"b": [0.0], "a": 1}],
        "text",
    ],
)
def test_unique_items_are_compared_as_by_jsonschema(items: Any) -> None:
    schema = {"uniqueItems": True}
    try:
        jsonschema.validate(items, schema)
        expected = None
    except jsonschema.ValidationError as error:
        expected = f"Invalid input for param p: {error}"

    assert invalid_param({"p": {"schema": schema}}, {"p": items}) == expected


def test_many_unique_items_are_compared_quickly() -> None:
    items = [{"number": number} for number in range(20_000)]  # jsonschema needs minutes

    assert invalid_param({"p": {"schema": {"uniqueItems": True}}}, {"p": items}) is None


def test_integer_that_no_float_can_hold_is_invalid() -> None:
    assert invalid_param({"p": {"schema": {"multipleOf": 0.1}}}, {"p": 10**400}) == (
        "Invalid input for param p: int too large to convert to float"
    )
