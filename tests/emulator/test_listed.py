"""Items of lists are counted as a parser would count them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xcom_server.emulator import listed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('"\\[]{},:a é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"]{'), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.text('"]{,a'), JSON, max_size=3), max_size=4)


@given(rows=ROWS, total=st.integers(0, 10**6))
def test_counts_are_those_of_a_parser(rows: list[Any], total: int) -> None:
    first = {"total_entries": total, "xcom_entries": rows}
    last = {"dag_runs": rows, "total_entries": total, "next_cursor": "a=="}

    for data in (first, last):
        assert listed.count(json.dumps(data, indent=2).encode()) == (total, len(rows))
    compact = json.dumps(last, separators=(",", ":"), ensure_ascii=False)
    assert listed.count(compact.encode()) == (total, len(rows))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"key":"k","value":{"total_entries":5,"x":[1]}}',
        b'{\n  "dag_id": "d",\n  "value": [1, 2]\n}',
        b'{"detail":"not found"}',
        b'{"xcom_entries":[{"key":"k"}',
    ],
)
def test_other_responses_are_not_lists(body: bytes) -> None:
    assert listed.count(body) == (None, None)


def test_a_total_that_is_missing_or_nested_is_not_found() -> None:
    assert listed.count(b'{"dag_runs":[{"conf":{"total_entries":9}}]}') == (None, 1)


def test_items_of_a_damaged_response_are_counted_without_an_error() -> None:
    assert listed.count(b'{"dags":[{"a":[1,2}],"total_entries":1}')[0] == 1
