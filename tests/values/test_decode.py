"""Nested serialized values are shown like Airflow's own objects."""

import json
from typing import Any

import pytest
from xcom_server.values.decode import MAX_TEXT, decode_v1, decode_v2
from xcom_server.values.types import as_json


def serialized(classname: str, data: Any, version: int = 1) -> dict[str, Any]:
    return {"__classname__": classname, "__version__": version, "__data__": data}


DATE = serialized("datetime.date", "2024-02-29", 2)
DECIMAL = serialized("decimal.Decimal", 1.5)
WARSAW = serialized("builtins.tuple", ["Europe/Warsaw", "pendulum.tz.timezone.Timezone", 1, True])
PENDULUM = serialized("pendulum.datetime.DateTime", {"timestamp": 0.0, "tz": WARSAW}, 2)


def rebuilt(value: Any) -> Any:
    return decode_v1(json.dumps(value), rebuild=True)


@pytest.mark.parametrize(
    ("inside", "shown"),
    [
        (DATE, "datetime.date(2024, 2, 29)"),
        (DECIMAL, "Decimal('1.5')"),
        (PENDULUM, "DateTime(1970, 1, 1, 1, 0, tzinfo=Timezone('Europe/Warsaw'))"),
        (serialized("builtins.frozenset", []), "frozenset()"),
        (serialized("builtins.set", []), "set()"),
        (
            serialized("pendulum.tz.timezone.FixedTimezone", 3600),
            'FixedTimezone(3600, name="+01:00")',
        ),
    ],
    ids=["date", "decimal", "datetime", "frozenset", "set", "time zone"],
)
def test_object_in_a_list_is_shown_by_its_repr(inside: Any, shown: str) -> None:
    assert str(rebuilt([inside])) == f"[{shown}]"


@pytest.mark.parametrize(
    "inside",
    [DATE, DECIMAL, PENDULUM, serialized("builtins.tuple", [1])],
    ids=["date", "decimal", "datetime", "tuple"],
)
def test_object_in_a_set_keeps_its_stored_form(inside: Any) -> None:
    value = serialized("builtins.set", [inside])

    assert as_json(rebuilt(value)) == value


def test_naive_datetime_is_utc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naive = serialized("datetime.datetime", {"timestamp": -62135596800.0, "tz": None}, 2)
    value = serialized("builtins.set", [naive])

    assert as_json(rebuilt(value)) == value
    assert as_json(rebuilt(naive)) == "0001-01-01T00:00:00+00:00"


def test_v1_text_of_nested_objects_is_bounded() -> None:
    value: Any = 1
    for _ in range(60):
        value = serialized("a.B", [value])

    assert len(decode_v1(json.dumps(value))) < 3 * MAX_TEXT


@pytest.mark.parametrize(
    "digits", ["1E+4001", "1E-4001", "NaN", "-Infinity", "sNaN", "1" * 400 + ".5"]
)
def test_decimal_without_a_json_number_is_a_string(digits: str) -> None:
    assert as_json(rebuilt(serialized("decimal.Decimal", digits))) == digits


@pytest.mark.parametrize("zone", ["../../etc/passwd", "/etc/passwd", "", "a" * 5000, "No/Where"])
def test_invalid_time_zone_stays_text(zone: str) -> None:
    value = serialized("pendulum.tz.timezone.Timezone", zone)

    assert rebuilt(value) == f"pendulum.tz.timezone.Timezone@version=1({zone})"


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        "x",
        [],
        {},
        {"timestamp": 1e300, "tz": None},
        {"timestamp": 0, "tz": ["UTC"]},
        {"timestamp": 0, "tz": 5},
    ],
)
def test_invalid_datetime_data_stays_text(data: Any) -> None:
    value = rebuilt(serialized("datetime.datetime", data, 2))

    assert value.startswith("datetime.datetime@version=2(")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (DATE, "datetime.date@version=2(2024-02-29)"),
        (DECIMAL, "decimal.Decimal@version=1(1.5)"),
        ({"a": [DATE]}, {"a": ["datetime.date@version=2(2024-02-29)"]}),
        (serialized("builtins.tuple", ["a", 1, DATE]), "(a,1,datetime.date@version=2(2024-02-29))"),
        (serialized("a.B", {"x": "y", "z": 1}), "a.B@version=1(x='y', z=1)"),
        (serialized("a.B", {"x": DATE}), "a.B@version=1(x=datetime.date@version=2(2024-02-29))"),
        (serialized("a.B", None), "a.B@version=1()"),
        (serialized("a.B", [1, "b"]), "a.B@version=1(1,b)"),
        (serialized("unusual_prefix_" + "0" * 40 + "_dag.B", 1), "dag.B@version=1(1)"),
        ({"__type": "dict", "__var": {"a": DATE}}, {"a": "datetime.date@version=2(2024-02-29)"}),
        ({"__type": "set", "__var": [1]}, "set@version=0(1)"),
        ({"__classname__": "", "__version__": 1}, {"__classname__": "", "__version__": 1}),
        ("text", "text"),
        (None, None),
        (5, 5),
        ([], []),
    ],
)
def test_v2_shows_objects_as_text(value: Any, shown: Any) -> None:
    assert decode_v2(json.dumps(value)) == shown
    assert decode_v2(json.dumps(json.dumps(value))) == shown


@pytest.mark.parametrize(
    "value",
    [
        serialized("airflow.sdk.Asset", {"name": "x"}),
        {"a": [DATE, serialized("airflow.x.Y", 1)]},
        {"__type": "airflow.x.Y", "__var": 1},
        serialized("a.B", [serialized("airflow.x.Y", 1)]),
    ],
)
def test_v2_leaves_values_with_airflow_objects_unchanged(value: Any) -> None:
    assert decode_v2(json.dumps(value)) == value
    assert decode_v2(json.dumps(json.dumps(value))) == json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        "{bad",
        "NaN",
        "[1e400]",
        "[" * 100_000,
        "1" * 5000,
        '{"a": ' * 65 + "1" + "}" * 65,
        '"\\ud800"',
        "",
    ],
)
def test_v2_leaves_strings_that_are_not_strict_json_unchanged(text: str) -> None:
    assert decode_v2(json.dumps(text)) == text


def test_v2_text_of_nested_objects_is_bounded() -> None:
    """Each level repeats the quotes of a text and doubles its backslashes."""
    value: Any = "\"'\\" * 10
    for _ in range(19):
        value = serialized("a.B", [[value]])

    assert len(decode_v2(json.dumps(value))) < 3 * MAX_TEXT
