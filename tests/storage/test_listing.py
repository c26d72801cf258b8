"""Lists: filters, totals and order, which are the same on every database."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from xcom_server import errors
from xcom_server.seed_file import read
from xcom_server.storage.models import MAX_MAP_INDEX, XComKey
from xcom_server.storage.queries import (
    MAX_COMPARISONS,
    MAX_PATTERN,
    Comparison,
    Condition,
    Filter,
    Order,
    Page,
)
from xcom_server.storage.store import XComStore

from tests.support.stores import MakeStore

DATE = datetime(2024, 1, 1, tzinfo=UTC)
RUNS = {
    "r1": (DATE, DATE),
    "r2": (None, DATE + timedelta(hours=1)),
    "R3": (DATE - timedelta(days=1), DATE + timedelta(microseconds=1)),
}


def entry(key: str, run: str = "r1", dag: str = "etl", **fields: Any) -> dict[str, Any]:
    return {"dag_id": dag, "run_id": run, "task_id": "t", "key": key, "value": 1} | fields


@pytest.fixture
def filled(make_store: MakeStore) -> XComStore:
    """Return a store with three runs, one of them without a logical date, and six entries."""
    texts = [
        [
            entry("a", "r2"),
            entry("b"),
            entry("B", "R3"),
            entry("c", task_id="T"),
            entry("d", map_index=2),
            entry("e", dag="other", timestamp="2001-02-03T04:05:06Z"),
        ]
    ]
    runs = [
        {
            "dag_id": dag,
            "run_id": run,
            "logical_date": date and date.isoformat(),
            "run_after": after.isoformat(),
        }
        for run, (date, after) in RUNS.items()
        for dag in ("etl", "other")
    ]
    for text in ({"dag_runs": runs}, *texts):
        make_store().load(read(json.dumps(text)))
    return make_store()


def keys(
    store: XComStore,
    *conditions: Sequence[Sequence[Comparison]],
    order: Sequence[Order] = (),
    **fields: Any,
) -> str:
    """Return the listed keys, and check that the total is their number."""
    wanted = Filter.of(
        **fields,
        conditions=tuple(tuple(tuple(each) for each in condition) for condition in conditions),
    )
    page = store.list(wanted, limit=99, order=order)
    assert page.total_entries == len(page.entries)
    assert store.list(wanted, limit=1, offset=1, order=order).total_entries == len(page.entries)
    return "".join(each.key for each in page.entries)


def only(field: Any, operator: Any, operand: Any) -> list[list[Comparison]]:
    return [[Comparison(field, operator, operand)]]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("report", ["report"]),
        ("REPORT", ["report"]),
        ("re%", ["report", "re%x", "re_x", "re\\x"]),
        ("RE%X", ["re%x", "re_x", "re\\x"]),
        ("%port", ["report"]),
        ("re_x", ["re%x", "re_x", "re\\x"]),
        (r"re\_x", ["re_x"]),
        (r"re\%x", ["re%x"]),
        (r"re\\x", ["re\\x"]),
        (r"%\\%", ["re\\x"]),
        ("r_x", []),
        ("", []),
        ("%é%", ["été"]),
        ("%É%", ["ÉTÉ"]),
        ("%ÉTÉ", ["ÉTÉ"]),
        ("éTé", ["été"]),
        ("ss", []),
        ("k", []),
        ("_", ["\u212a", "ß", "🙂"]),
        ("%[a-z]%", []),
        ("*", []),
        ("%'%", []),
        ("r\\eport", ["report"]),
        ("_" * 6, ["report"]),
    ],
)
def test_pattern_matches_the_same_on_every_database(
    store: XComStore, pattern: str, found: list[str]
) -> None:
    """Case is ignored for ASCII only: the Kelvin sign is not a k, and é is not an É."""
    for key in ("report", "re%x", "re_x", "re\\x", "été", "ÉTÉ", "ß", "\u212a", "🙂"):
        store.create(XComKey("etl", "r1", "t", -1, key), "1")
    wanted = Filter.of(conditions=((tuple(only("key", "like", pattern)[0]),),))

    page = store.list(wanted, limit=99)

    assert {each.key for each in page.entries} == set(found)
    assert page.total_entries == len(found)


@pytest.mark.parametrize("field", ["dag_id", "run_id", "task_id", "key"])
def test_every_id_can_be_filtered_by_a_pattern(filled: XComStore, field: str) -> None:
    assert keys(filled, only(field, "like", "%")) == keys(filled)
    assert keys(filled, only(field, "like", "no%")) == ""


@pytest.mark.parametrize(
    ("field", "operator", "operand", "found"),
    [
        ("key", "eq", "b", "b"),
        ("key", "gte", "b", "bcde"),
        ("key", "gt", "b", "cde"),
        ("key", "lte", "b", "Bab"),
        ("key", "lt", "b", "Ba"),
        ("key", "lt", "\U0010ffff", "Babcde"),
        ("map_index", "eq", 2, "d"),
        ("map_index", "gte", -1, "Babcde"),
        ("map_index", "gt", -1, "d"),
        ("map_index", "eq", MAX_MAP_INDEX + 1, ""),
        ("map_index", "eq", -2, ""),
        ("map_index", "eq", 10**30, ""),
        ("logical_date", "eq", DATE, "bcde"),
        ("logical_date", "lt", DATE, "B"),
        ("logical_date", "gte", datetime(1, 1, 1, tzinfo=UTC), "Bbcde"),
        ("logical_date", "lte", datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "Bbcde"),
        ("run_after", "gt", DATE, "Ba"),
        ("run_after", "gte", DATE, "Babcde"),
        ("run_after", "gt", DATE + timedelta(microseconds=1), "a"),
        ("run_after", "lte", DATE + timedelta(microseconds=1), "Bbcde"),
        ("timestamp", "lt", datetime(2020, 1, 1, tzinfo=UTC), "e"),
        ("timestamp", "eq", datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC), "e"),
    ],
)
def test_field_can_be_compared_with_a_value(
    filled: XComStore, field: str, operator: str, operand: Any, found: str
) -> None:
    assert "".join(sorted(keys(filled, only(field, operator, operand)))) == found


def test_conditions_are_anded_and_alternatives_ored(filled: XComStore) -> None:
    one_of_two = [[Comparison("key", "eq", "b")], [Comparison("key", "eq", "e")]]
    a_range = [[Comparison("key", "gte", "c"), Comparison("key", "lt", "e")]]

    assert keys(filled, one_of_two) == "be"
    assert keys(filled, a_range) == "cd"
    assert keys(filled, one_of_two, only("dag_id", "eq", "other")) == "e"
    assert keys(filled, one_of_two, a_range) == ""
    assert keys(filled, [*one_of_two, *a_range], dag_id="etl") == "cbd"
    assert keys(filled, [[]]) == keys(filled)
    assert keys(filled, [[Comparison("key", "eq", "b")], []]) == keys(filled)


@pytest.mark.parametrize(
    ("dag_ids", "found"),
    [
        (None, "cBbdae"),
        (frozenset(), ""),
        (frozenset({"etl"}), "cBbda"),
        (frozenset({"other"}), "e"),
        (frozenset({"other", "nope"}), "e"),
        (frozenset({"ETL"}), ""),
        (frozenset({"etl", "other"}), "cBbdae"),
        (frozenset({"~"}), ""),
    ],
)
def test_entries_of_hidden_dags_are_not_listed(
    filled: XComStore, dag_ids: frozenset[str] | None, found: str
) -> None:
    assert keys(filled, dag_ids=dag_ids) == found
    assert keys(filled, dag_ids=dag_ids, dag_id="etl") == keys(filled, dag_ids=dag_ids).replace(
        "e", ""
    )


@pytest.mark.parametrize(
    "field", ["dag_id", "run_id", "task_id", "map_index", "key", "timestamp", "run_after"]
)
def test_list_can_be_sorted_by_every_field(filled: XComStore, field: Any) -> None:
    natural = filled.list(Filter.of(), limit=99).entries

    up = filled.list(Filter.of(), limit=99, order=[Order(field)]).entries
    down = filled.list(Filter.of(), limit=99, order=[Order(field, True)]).entries

    assert up == sorted(natural, key=lambda each: getattr(each, field))
    assert down == up[::-1]
    assert [
        *filled.list(Filter.of(), limit=2, order=[Order(field)]).entries,
        *filled.list(Filter.of(), limit=99, offset=2, order=[Order(field)]).entries,
    ] == up


def test_ties_sort_by_primary_key_in_the_direction_of_the_first_field(
    filled: XComStore,
) -> None:
    assert keys(filled) == "cBbdae"
    assert keys(filled, order=[Order("dag_id")]) == "cBbdae"
    assert keys(filled, order=[Order("dag_id", True)]) == "eadbBc"
    assert keys(filled, order=[Order("dag_id"), Order("map_index", True)]) == "dcBbae"
    assert keys(filled, order=[Order("dag_id", True), Order("map_index")]) == "eabBcd"
    assert keys(filled, order=[Order("map_index"), Order("map_index", True)]) == "cBbaed"


def test_runs_without_a_date_sort_first_or_last(filled: XComStore) -> None:
    page = filled.list(Filter.of(), limit=99, order=[Order("logical_date")])
    dates = [each.logical_date for each in page.entries]
    known = [date for date in dates if date is not None]

    assert dates in ([None, *known], [*known, None])
    assert known == sorted(known)


@pytest.mark.parametrize("index", [-2, MAX_MAP_INDEX + 1, 2**63, -(10**30)])
def test_impossible_map_index_matches_nothing(store: XComStore, index: int) -> None:
    store.create(XComKey("etl", "r1", "t", -1, "k"), "1")

    assert store.list(Filter.of(map_index=index), limit=9).total_entries == 0


@pytest.mark.parametrize("operator", ["eq", "like", "contains", "gte"])
@pytest.mark.parametrize("offset", [0, 1])
def test_longest_filter_is_accepted_by_every_database(
    filled: XComStore, operator: Any, offset: int
) -> None:
    many = [(Comparison("key", operator, f"x{number}"),) for number in range(MAX_COMPARISONS)]
    conditions: list[tuple[Condition, ...]] = [(tuple(many),), tuple((each,) for each in many)]

    for each in conditions:
        assert filled.list(Filter(conditions=each), limit=1, offset=offset).entries == []


def test_longest_pattern_is_accepted_by_every_database(filled: XComStore) -> None:
    like = Comparison("key", "like", "é" * MAX_PATTERN)

    assert filled.list(Filter(conditions=(((like,),),)), limit=1) == Page([], 0)


@pytest.mark.parametrize(
    "comparisons",
    [
        [Comparison("key", "eq", "x")] * (MAX_COMPARISONS + 1),
        [Comparison("key", "like", "x" * (MAX_PATTERN + 1))],
    ],
)
def test_filter_above_a_maximum_is_refused(
    filled: XComStore, comparisons: list[Comparison]
) -> None:
    alternatives = tuple((each,) for each in comparisons)

    with pytest.raises(errors.FilterTooLong):
        filled.list(Filter(conditions=(alternatives,)), limit=1)


@pytest.mark.parametrize("text", ["\0", "a\0", "\0a"])
def test_text_with_nul_matches_nothing_on_every_database(filled: XComStore, text: str) -> None:
    for operator in ("eq", "like", "contains", "gte", "lt", "gt", "lte"):
        assert keys(filled, only("key", operator, text)) == ""
    assert keys(filled, only("key", "in", (text, "a"))) == "a"
    assert keys(filled, key=text) == keys(filled, task_id=text) == ""
