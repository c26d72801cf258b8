"""What an answer says about an operation, and what clients and faults a seed stands for."""

import json
from collections import Counter
from itertools import islice

import pytest

from tests.faults.client import KEYS, Answer, Request, padded, requests, told
from tests.faults.history import WRITES, by_key, operations
from tests.faults.nemesis import KILLS, schedule


def answered(kind: str, status: int, body: object = None, again: str | None = None) -> str:
    value = "1-2" if kind in ("create", "patch") else None
    request = Request(kind, "k", "v2", value, 0, False)  # type: ignore[arg-type]
    shown = {"value": padded("1-2")} if body is None else body
    found = told(request, Answer(status, json.dumps(shown).encode(), again))
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
def test_a_status_says_what_was_seen_or_is_wrong(kind: str, status: int, outcome: str) -> None:
    assert answered(kind, status) == outcome


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("create", "unknown"), ("patch", "unknown"), ("delete", "unknown"), ("get", "dropped")],
)
def test_a_503_leaves_a_write_open_and_says_when_to_come_again(kind: str, outcome: str) -> None:
    assert answered(kind, 503, again="1") == outcome
    assert answered(kind, 503) == "wrong"


@pytest.mark.parametrize("kind", ["create", "patch", "delete"])
def test_a_503_that_says_that_nothing_was_changed_is_taken_at_its_word(kind: str) -> None:
    body = {"detail": "The database cannot be reached. Nothing was changed."}

    assert answered(kind, 503, body, again="1") == "dropped"
    assert answered(kind, 503, body) == "wrong"


@pytest.mark.parametrize(
    "body", [{"value": "3-4"}, {"value": 7}, {"value": "1-2" + "." * 500}, {}, [], "text"]
)
@pytest.mark.parametrize("kind", ["create", "patch"])
def test_an_answer_with_another_value_than_was_sent_is_wrong(kind: str, body: object) -> None:
    assert answered(kind, 200, body) == "wrong"


def test_half_a_value_is_wrong() -> None:
    long = next(f"1-{number}" for number in range(99) if len(padded(f"1-{number}")) > 5000)

    assert answered("get", 200, {"value": padded(long)}) == "ok"
    assert answered("get", 200, {"value": padded(long)[:5000]}) == "wrong"


def lines(*events: dict[str, object]) -> list[str]:
    return [json.dumps({"kind": "patch", "key": "k", "value": "v"} | event) for event in events]


def test_an_operation_without_a_second_line_may_have_taken_effect() -> None:
    found = operations(lines({"id": 1, "event": "invoke", "at": 5}))

    assert [(each.outcome, each.start, each.end) for each in found] == [("unknown", 5, None)]


def test_a_read_without_a_second_line_says_nothing() -> None:
    assert operations(lines({"id": 1, "event": "invoke", "kind": "get", "at": 5})) == []


def test_what_is_answered_has_two_times() -> None:
    found = operations(
        lines({"id": 1, "event": "invoke", "at": 5}, {"id": 1, "event": "ok", "at": 7})
    )

    assert [(each.outcome, each.start, each.end) for each in found] == [("ok", 5, 7)]
    assert by_key(found) == {"k": found}


def test_a_seed_decides_what_a_client_does() -> None:
    first, again, other = (list(islice(requests(seed, 1), 500)) for seed in ("a", "a", "b"))

    assert first == again
    assert first != other
    values = [each.value for each in first if each.value is not None]
    assert len(set(values)) == len(values)
    assert set(KEYS) < {each.key for each in first}
    assert set(WRITES) < {each.kind for each in first}


@pytest.mark.parametrize("database", list(KILLS))
def test_a_seed_decides_the_faults_and_each_kill_comes_as_often(database: str) -> None:
    found = schedule("a", database, 50)

    assert found == schedule("a", database, 50)
    assert found != schedule("b", database, 50)
    kills = Counter(each.kind for each in found if each.kind.startswith("kill"))
    assert kills.total() == 50
    assert set(kills) == set(KILLS[database])
    assert max(kills.values()) - min(kills.values()) <= 1
