"""The comparison of responses with recorded ones on runs, task instances and DAGs."""

import json
from typing import Any

import pytest

from tests.support.neighbours import differences
from tests.support.recorded import Answer

JSON = "application/json"


def found(recorded: Any, body: Any, path: str = "/api/v2/dags", status: int = 200) -> list[str]:
    case = {
        "request": {"path": path},
        "response": {"status": 200, "headers": {"content-type": JSON}, "body": recorded},
    }
    text = body if isinstance(body, str) else json.dumps(body)
    return differences(case, Answer(status, {"content-type": JSON}, text.encode()))


@pytest.mark.parametrize(
    ("recorded", "body"),
    [
        ({"end_date": "<time>"}, {"end_date": "2026-01-02T03:04:05.678901Z"}),
        ({"dag_run_id": "manual__<time>"}, {"dag_run_id": "manual__2026-01-02T03:04:05+00:00"}),
        ({"id": "<uuid>"}, {"id": "01a21f75-6eb6-7ccf-bdee-5dc81ee847d7"}),
        ({"duration": "<duration>"}, {"duration": 1.5}),
        ({"detail": "look for ID <id>"}, {"detail": "look for ID 3f"}),
        ({"file_token": "abc"}, {"file_token": "another"}),
        ({"conf": {"value": {"b": 1, "a": 2}}}, {"conf": {"value": {"a": 2, "b": 1}}}),
    ],
)
def test_masked_parts_may_have_any_value_of_their_form(recorded: Any, body: Any) -> None:
    assert found(recorded, body) == []


@pytest.mark.parametrize(
    ("recorded", "body", "words"),
    [
        ({"end_date": "<time>"}, {"end_date": "2026-01-02T03:04:05+00:00"}, "end_date: "),
        ({"end_date": "<time>"}, {"end_date": None}, "end_date: null instead of"),
        ({"duration": "<duration>"}, {"duration": 1}, "duration: 1 instead of"),
        ({"file_token": "abc"}, {"file_token": ""}, "file_token: "),
        ({"pool_slots": 1.0}, {"pool_slots": 1}, "pool_slots: 1 instead of 1.0"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ": keys in the order b, a"),
        ({"a": 1}, {}, ": without a"),
        ({}, {"a": 1}, ": with a"),
        ({"runs": [{"id": 1}]}, {"runs": []}, "runs: 0 elements instead of 1"),
        ({"runs": [{"id": 1}]}, {"runs": [{"id": 2}]}, "runs[0].id: 2 instead of 1"),
        ("text", "other", "body 'other' instead of 'text'"),
        ({}, "no JSON", "body 'no JSON' instead of {}"),
        (None, "x", "body 'x' instead of none"),
    ],
)
def test_difference_is_named_with_its_path(recorded: Any, body: Any, words: str) -> None:
    assert [line for line in found(recorded, body) if line.startswith(words)]


def test_other_status_is_a_difference() -> None:
    assert found({}, {}, status=404) == ["status 404 instead of 200"]


@pytest.mark.parametrize("ids", [["a", "b"], [["r", "a", -1], ["r", "b", 0]], ["r/a/-1", "r/b/0"]])
def test_ids_of_task_instances_can_have_several_parts(ids: list[Any]) -> None:
    recorded = {"_truncated": True, "_head": "{", "_count": 2, "_total_entries": 2, "_ids": ids}
    rows = [
        {"dag_id": "d", "dag_run_id": "r", "task_id": task_id, "map_index": map_index}
        for task_id, map_index in (("a", -1), ("b", 0))
    ]

    assert found(recorded, {"task_instances": rows, "total_entries": 2}) == []
    assert found(recorded, {"task_instances": rows[::-1], "total_entries": 2}) != []


def test_truncated_body_is_compared_by_its_ids_total_and_beginning() -> None:
    recorded = {
        "_truncated": True,
        "_head": '{"dag_runs": [{"dag_run_id": "a"',
        "_count": 2,
        "_total_entries": 9,
        "_ids": ["a", "b"],
    }
    runs = [{"dag_run_id": "a", "dag_id": "d"}, {"dag_run_id": "b", "dag_id": "d"}]

    assert found(recorded, {"dag_runs": runs, "total_entries": 9}) == []
    assert len(found(recorded, {"dag_runs": runs[::-1], "total_entries": 8})) == 3


def test_repeated_lines_of_wait_count_once() -> None:
    lines = '{"state": "queued"}\n{"state": "queued"}\n{"state": "success"}\n'
    path = "/api/v2/dags/d/dagRuns/r/wait"

    assert found(lines, lines.replace('{"state": "queued"}\n', "", 1), path) == []
    assert found(lines, lines.replace("queued", "running"), path) != []
