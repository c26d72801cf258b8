"""GET …/xcomEntries lists entries without their values, filtered and in any order."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.calls import RUN
from tests.support.v2_calls import RUN_DATE, create, entries, error_detail

ITEM = [
    "key",
    "timestamp",
    "logical_date",
    "map_index",
    "task_id",
    "dag_id",
    "run_id",
    "dag_display_name",
    "task_display_name",
    "run_after",
]


@pytest.fixture
def listed(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with keys that patterns could confuse, in two runs."""
    for key in ("str", "str_1", "STR_2", "a%b", "a_b", "axb", "back\\slash", "a|b"):
        create(client, key)
    client.post(
        entries(dag_id="other", dag_run_id="scheduled__2024-02-02T00:00:00+00:00", task_id="load"),
        json={"key": "later", "value": 1},
    )
    return client


def keys(client: FlaskClient, *path: str, **query: Any) -> list[str]:
    answer = client.get(entries(*path), query_string=query)
    assert answer.status_code == 200, answer.text
    page = answer.get_json()
    found = [each["key"] for each in page["xcom_entries"]]
    assert page["total_entries"] == len(found)
    return found


def test_entry_is_listed_without_its_value(client: FlaskClient) -> None:
    created = create(client, "k", {"b": 1}).get_json()

    page = client.get(entries()).get_json()

    assert list(page) == ["xcom_entries", "total_entries"]
    assert [list(each) for each in page["xcom_entries"]] == [ITEM]
    assert page["xcom_entries"] == [{name: created[name] for name in ITEM}]
    assert page["xcom_entries"][0]["logical_date"] == RUN_DATE


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 50),
        ({"limit": 0}, 0),
        ({"limit": 7}, 7),
        ({"limit": 1000}, 100),
        ({"limit": "9" * 100}, 100),
        ({"offset": 119}, 1),
        ({"offset": 500}, 0),
    ],
)
def test_page_size_equals_airflows(client: FlaskClient, query: dict[str, Any], found: int) -> None:
    for number in range(120):
        create(client, f"{number:03}")

    page = client.get(entries(), query_string=query).get_json()

    assert (len(page["xcom_entries"]), page["total_entries"]) == (found, 120)


def test_maximum_page_size_is_a_setting(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(maximum_page_limit=2)
    for key in "abc":
        create(client, key)

    assert len(client.get(entries()).get_json()["xcom_entries"]) == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"xcom_key": "str"}, ["str"]),
        ({"xcom_key": "STR"}, []),
        ({"xcom_key": ""}, []),
        ({"xcom_key_pattern": "STR"}, ["STR_2", "str", "str_1"]),
        ({"xcom_key_pattern": "a_b"}, ["a%b", "a_b", "axb", "a|b"]),
        ({"xcom_key_pattern": "a\\_b"}, ["a_b"]),
        ({"xcom_key_pattern": "a\\%b"}, ["a%b"]),
        ({"xcom_key_pattern": "\\\\sl"}, ["back\\slash"]),
        ({"xcom_key_pattern": "tr_1 | axb"}, ["axb", "str_1"]),
        ({"xcom_key_pattern": "|"}, ["a|b"]),
        ({"xcom_key_pattern": "str|~"}, ["STR_2", "str", "str_1"]),
        ({"xcom_key_prefix_pattern": "str_"}, ["str", "str_1"]),
        ({"xcom_key_prefix_pattern": "S"}, ["STR_2"]),
        ({"xcom_key_prefix_pattern": "S|back"}, ["STR_2", "back\\slash"]),
        ({"xcom_key_prefix_pattern": "tr"}, []),
        ({"xcom_key_prefix_pattern": "z"}, []),
        ({"task_id_pattern": "EXTR", "xcom_key": "str"}, ["str"]),
        ({"task_id_pattern": "load"}, []),
        ({"run_id_prefix_pattern": "scheduled__2024-01", "xcom_key": "str"}, ["str"]),
        ({"dag_display_name_pattern": "oth"}, []),
        ({"map_index_filter": 3}, []),
        ({"map_index_filter": 10**30}, []),
        ({"map_index": 2**31}, []),
    ],
)
def test_filters_select_entries(
    listed: FlaskClient, query: dict[str, Any], found: list[str]
) -> None:
    assert keys(listed, **query) == found


@pytest.mark.parametrize("pattern", ["~", "", "_", "%"])
@pytest.mark.parametrize("parameter", ["xcom_key_pattern", "xcom_key_prefix_pattern"])
def test_wildcard_pattern_matches_every_key(
    listed: FlaskClient, parameter: str, pattern: str
) -> None:
    assert len(keys(listed, **{parameter: pattern})) == 8


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"logical_date_gte": RUN_DATE}, 9),
        ({"logical_date_gt": RUN_DATE}, 1),
        ({"logical_date_lte": RUN_DATE}, 8),
        ({"logical_date_lt": RUN_DATE}, 0),
        ({"run_after_gte": "2024-02-02T00:00:00Z"}, 1),
        ({"run_after_gt": "1706832000"}, 0),
        ({"run_after_lt": "2024-02-02T01:00:00+01:00", "run_after_gt": RUN_DATE}, 0),
        ({"logical_date_gte": "0001-01-01T00:00:00+14:00"}, 9),
        ({"logical_date_gte": "9999-12-31T23:59:59-14:00"}, 0),
        ({"dag_display_name_pattern": "OTH"}, 1),
        ({"dag_display_name_prefix_pattern": "e"}, 8),
    ],
)
def test_date_and_name_filters_apply_to_all_runs(
    listed: FlaskClient, query: dict[str, str], found: int
) -> None:
    assert len(keys(listed, "~", "~", "~", **query)) == found


@pytest.mark.parametrize(
    "field", ["key", "dag_id", "run_id", "task_id", "map_index", "timestamp", "run_after"]
)
def test_order_by_sorts_the_list(listed: FlaskClient, field: str) -> None:
    for sign, is_reversed in (("", False), ("-", True), ("--", True)):
        page = listed.get(entries("~", "~", "~"), query_string={"order_by": sign + field})
        found = [str(each[field]).encode() for each in page.get_json()["xcom_entries"]]
        assert found == sorted(found, reverse=is_reversed)
        assert len(found) == 9


def test_order_by_accepts_several_fields(listed: FlaskClient) -> None:
    found = keys(listed, "~", "~", "~", order_by=["-dag_id", "-key"])

    assert found[:3] == ["later", "str_1", "str"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            "order_by=nope",
            "Ordering with 'nope' is disallowed or the attribute does not exist on the model",
        ),
        (
            "order_by=key,-map_index",
            "Ordering with 'key,-map_index' is disallowed or the attribute"
            " does not exist on the model",
        ),
        (
            "order_by=logical_date",
            "Ordering with 'logical_date' is disallowed or the attribute does"
            " not exist on the model",
        ),
        (
            "order_by=",
            "Ordering with '' is disallowed or the attribute does not exist on the model",
        ),
        (
            "&".join(["order_by=key"] * 11),
            f"Ordering with more than 10 parameters is not allowed. Provided: {['key'] * 11}",
        ),
    ],
)
def test_invalid_order_by_is_rejected(client: FlaskClient, query: str, detail: str) -> None:
    assert error_detail(client.get(f"{entries()}?{query}"), 400) == detail


@pytest.mark.parametrize("path", [("nope",), ("etl", "nope"), ("etl", RUN, "nope"), ("e" * 300,)])
def test_list_without_matches_is_empty(listed: FlaskClient, path: tuple[str, ...]) -> None:
    assert keys(listed, *path) == []


def test_unknown_parameters_are_ignored(listed: FlaskClient) -> None:
    assert len(keys(listed, LIMIT="x", update_mask="value", bogus="1")) == 8


@pytest.mark.parametrize("parameter", ["xcom_key_pattern", "run_id_prefix_pattern"])
def test_pattern_with_too_many_alternatives_is_rejected(
    listed: FlaskClient, parameter: str
) -> None:
    many = "|".join(f"x{number}" for number in range(101))

    assert error_detail(listed.get(entries(), query_string={parameter: many}), 400) == (
        "A pattern of more than 100 alternatives is not allowed. Provided: 101"
    )
    assert keys(listed, **{parameter: many.removesuffix("|x100")}) == []
    assert keys(listed, **{parameter: "x|" * 2000}) == (
        ["axb"] if parameter == "xcom_key_pattern" else []
    )
