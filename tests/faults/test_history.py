"""Responses are classified as outcomes, and a seed determines operations and faults."""

import json
from collections import Counter
from itertools import islice

import pytest

from tests.faults.client import KEYS, Answer, Request, event_for, padded, requests
from tests.faults.history import WRITES, by_key, operations
from tests.faults.nemesis import KILLS, schedule


def event_of(kind: str, status: int, body: object = None, again: str | None = None) -> str:
    value = "1-2" if kind in ("create", "patch") else None
    request = Request(kind, "k", "v2", value, 0, False)  # type: ignore[arg-type]
    shown = {"value": padded("1-2")} if body is None else body
    found = event_for(request, Answer(status, json.dumps(shown).encode(), again))
    return "wrong" if "wrong" in found else str(found["event"])


@pytest.mark.parametrize(
    ("kind", "status", "outcome"),
    [
        ("create", 200, "ok"),
        ("create", 201, "ok"),
        ("get", 200, "ok"),
        ("patch", 200, "ok"),
        ("delete", 204, "ok"),
        ("create", 409, "fail"),
        ("get", 404, "fail"),
        ("patch", 404, "fail"),
        ("delete", 404, "fail"),
        ("create", 404, "wrong"),
        ("get", 409, "wrong"),
        ("delete", 200, "wrong"),
        ("get", 500, "wrong"),
        ("patch", 500, "wrong"),
        ("create", 400, "wrong"),
        ("get", 502, "wrong"),
    ],
)
def test_status_is_classified(kind: str, status: int, outcome: str) -> None:
    assert event_of(kind, status) == outcome


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("create", "unknown"), ("patch", "unknown"), ("delete", "unknown"), ("get", "dropped")],
)
def test_503_makes_a_write_unknown_and_needs_retry_after(kind: str, outcome: str) -> None:
    assert event_of(kind, 503, again="1") == outcome
    assert event_of(kind, 503) == "wrong"


@pytest.mark.parametrize("kind", ["create", "patch", "delete"])
def test_503_without_a_change_drops_the_write(kind: str) -> None:
    body = {"detail": "The database cannot be reached. Nothing was changed."}

    assert event_of(kind, 503, body, again="1") == "dropped"
    assert event_of(kind, 503, body) == "wrong"


@pytest.mark.parametrize(
    "body", [{"value": "3-4"}, {"value": 7}, {"value": "1-2" + "." * 500}, {}, [], "text"]
)
@pytest.mark.parametrize("kind", ["create", "patch"])
def test_response_with_another_value_is_wrong(kind: str, body: object) -> None:
    assert event_of(kind, 200, body) == "wrong"


def test_partial_value_is_wrong() -> None:
    long = next(f"1-{number}" for number in range(99) if len(padded(f"1-{number}")) > 5000)

    assert event_of("get", 200, {"value": padded(long)}) == "ok"
    assert event_of("get", 200, {"value": padded(long)[:5000]}) == "wrong"


def lines(*events: dict[str, object]) -> list[str]:
    return [json.dumps({"kind": "patch", "key": "k", "value": "v"} | event) for event in events]


def test_write_without_a_second_line_is_unknown() -> None:
    found = operations(lines({"id": 1, "event": "invoke", "at": 5}))

    assert [(each.outcome, each.start, each.end) for each in found] == [("unknown", 5, None)]


def test_read_without_a_second_line_is_dropped() -> None:
    assert operations(lines({"id": 1, "event": "invoke", "kind": "get", "at": 5})) == []


def test_completed_operation_has_start_and_end() -> None:
    found = operations(
        lines({"id": 1, "event": "invoke", "at": 5}, {"id": 1, "event": "ok", "at": 7})
    )

    assert [(each.outcome, each.start, each.end) for each in found] == [("ok", 5, 7)]
    assert by_key(found) == {"k": found}


def test_seed_determines_the_operations() -> None:
    first, again, other = (list(islice(requests(seed, 1), 500)) for seed in ("a", "a", "b"))

    assert first == again
    assert first != other
    values = [each.value for each in first if each.value is not None]
    assert len(set(values)) == len(values)
    assert set(KEYS) < {each.key for each in first}
    assert set(WRITES) < {each.kind for each in first}


@pytest.mark.parametrize("database", list(KILLS))
def test_seed_determines_the_faults_and_kills_are_balanced(database: str) -> None:
    found = schedule("a", database, 50)

    assert found == schedule("a", database, 50)
    assert found != schedule("b", database, 50)
    kills = Counter(each.kind for each in found if each.kind.startswith("kill"))
    assert kills.total() == 50
    assert set(kills) == set(KILLS[database])
    assert max(kills.values()) - min(kills.values()) <= 1
