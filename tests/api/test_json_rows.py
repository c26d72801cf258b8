"""Pages of runs are written column by column with the bytes that row by row would have."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticSerializationError, to_json
from xcom_server.api import json_io
from xcom_server.api.json_rows import RowWriter, Value
from xcom_server.api.serialization import compile_dump, parse_many
from xcom_server.api.v1 import schemas_runs as v1
from xcom_server.api.v2 import schemas_runs as v2
from xcom_server.storage.runs import DagRun

NOW = datetime(2024, 1, 1, 12, 30, 0, 250_000, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DATES = st.one_of(
    st.none(),
    st.just(NOW),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
CONFS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def runs(draw: Any) -> DagRun:
    fields: dict[str, Any] = dict.fromkeys(DagRun._fields)
    for name in ("dag_id", "run_id", "state", "version_id"):
        fields[name] = draw(TEXTS)
    for name in ("note", "triggered_by", "triggering_user_name", "display_name"):
        fields[name] = draw(st.none() | TEXTS)
    for name in ("logical_date", "start_date", "end_date", "last_scheduling_decision"):
        fields[name] = draw(DATES)
    fields["run_after"] = fields["created_at"] = fields["queued_at"] = NOW
    fields["run_type"] = draw(st.sampled_from(["manual", "scheduled", "asset_triggered"]))
    fields["duration"] = draw(st.none() | st.just(1.5))
    fields["conf"] = json.dumps(draw(st.dictionaries(TEXTS, CONFS, max_size=3)))
    fields["has_task_instances"] = draw(st.booleans())
    return DagRun(**fields)


def of_one_dag(found: list[DagRun]) -> list[DagRun]:
    """Return the runs with the fields of the DAG of the first run."""
    shared = {name: getattr(found[0], name) for name in ("dag_id", "display_name", "version_id")}
    return [run._replace(**shared) for run in found]


PAGES = st.lists(runs(), min_size=1, max_size=4).map(of_one_dag)


@given(PAGES)
def test_v2_page_has_the_bytes_of_its_runs(page: list[DagRun]) -> None:
    app = Flask(__name__)
    app.config[json_io.MAX_RESPONSE] = 2**20
    with app.app_context():
        assert v2.runs_as_json(page) == to_json([*map(v2.dump_run, page)])


@given(PAGES)
def test_v1_page_has_the_bytes_of_its_runs(page: list[DagRun]) -> None:
    total = {"total_entries": 7}
    rows = compile_dump(v1.DagRunSchema())(page)
    slow = json_io.indented_json({"dag_runs": rows, **total})
    fast = json_io.indented_json_with("dag_runs", v1.runs_as_json(page), total)
    assert fast.get_data() == slow.get_data()


def test_empty_page_of_v2_is_an_empty_list() -> None:
    assert v2.runs_as_json([]) == b"[]"


def test_other_members_follow_the_list() -> None:
    with Flask(__name__).app_context():
        found = json_io.compact_json_with("dag_runs", b"[1]", {"total_entries": 7, "next": None})
    assert found.get_data() == b'{"dag_runs":[1],"total_entries":7,"next":null}'


def test_equal_columns_of_dates_are_written_like_others() -> None:
    later = NOW + timedelta(seconds=1)
    writer = RowWriter(
        {"a": Value("a"), "b": Value("b"), "constant": "100 %"}, dates=["a", "b"], texts=[]
    )
    equal = writer.write({"a": [NOW, None, later], "b": [NOW, None, later]})
    others = writer.write({"a": [NOW, None, later], "b": [NOW, None, NOW]})
    texts = "2024-01-01T12:30:00.250000Z", None, "2024-01-01T12:30:01.250000Z"
    assert json.loads(f"[{equal}]") == [{"a": t, "b": t, "constant": "100 %"} for t in texts]
    assert [row["b"] for row in json.loads(f"[{others}]")] == [texts[0], None, texts[0]]


def test_lone_surrogate_in_a_column_is_an_error() -> None:
    writer = RowWriter({"a": Value("a")}, dates=[], texts=[])
    with pytest.raises(PydanticSerializationError):
        writer.write({"a": ["\ud800"]})


@pytest.mark.parametrize(
    "texts",
    [[], ["1"], ['{"a": 1}', "[]", '"x,y"'], ['"\\ud800"'], ["[" * 300 + "]" * 300]],
    ids=["none", "one", "several", "a lone surrogate", "deep"],
)
def test_json_texts_are_parsed_at_once(texts: list[str]) -> None:
    assert parse_many(texts) == [*map(json.loads, texts)]


@given(FLOATS)
def test_plain_floats_have_the_same_text_in_python_and_rust(number: float) -> None:
    if json_io.is_plain([{"a": number}]):
        assert to_json(number).decode() == json.dumps(number)


@given(CONFS)
def test_texts_with_other_floats_are_found(value: Any) -> None:
    if json_io.have_plain_floats([json.dumps(value)]):
        assert json_io.is_plain(value)
