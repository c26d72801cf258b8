"""The fast serialization of task instances gives the same bytes as Python's json."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from xcom_server.api.v1.schemas_task_instances import dump_instances, one_instance_json
from xcom_server.storage.task_instances import TaskInstance

DATE = datetime(2024, 1, 1, tzinfo=UTC)


def instance(**fields: Any) -> TaskInstance:
    """Return a task instance with these fields."""
    given: dict[str, Any] = {
        **dict.fromkeys(TaskInstance._fields),
        "dag_id": "etl",
        "task_id": "t",
        "run_id": "r",
        "map_index": -1,
        "run_after": DATE,
        "details": "{}",
        "try_number": 2,
    }
    return TaskInstance(**given | fields)


durations = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
details = st.sampled_from(["{}", '{"rendered_fields": {"b": 1e-5, "a": "ü"}, "trigger": null}'])


@given(st.none() | durations | st.floats(1e-6, 1e-3), details, st.none() | st.text())
def test_response_has_the_bytes_of_python(
    duration: float | None, stored: str, note: str | None
) -> None:
    row = instance(duration=duration, details=stored, note=note)
    expected = json.dumps(dump_instances([row])[0], indent=2, sort_keys=True) + "\n"

    with Flask(__name__).test_request_context():
        assert one_instance_json(row).get_data(as_text=True) == expected


@pytest.mark.parametrize(
    ("map_index", "label", "shown"),
    [(-1, None, None), (3, "3", None), (3, "three", "three"), (3, None, None)],
)
def test_label_that_is_the_map_index_is_null(
    map_index: int, label: str | None, shown: str | None
) -> None:
    row = instance(map_index=map_index, rendered_map_index=label)

    assert dump_instances([row])[0]["rendered_map_index"] == shown
