"""A record is bounded in bytes, whatever characters it has."""

import json
from dataclasses import replace

import pytest
from xcom_server.emulator.records import (
    MAX_BODY,
    MAX_HEADERS,
    MAX_RECORD,
    MAX_URL,
    RequestRecord,
    cut,
)

RECORD = RequestRecord(
    at="2026-01-01T00:00:00.000000+00:00",
    client="python-requests/2.32.0",
    method="GET",
    path="/api/v1/dags",
    query="",
    operation="v1.get_dags",
    authorization="",
    headers={"Host": "127.0.0.1"},
    body="",
    status=200,
    content_type="application/json",
    response='{"dags": []}',
    total_entries=0,
    items=0,
    milliseconds=1.5,
    fault="",
    auth="none",
)


@pytest.mark.parametrize("character", ["a", "\n", "\0", "é", "\N{GRINNING FACE}", '"'])
def test_the_longest_texts_fit_into_a_record(character: str) -> None:
    plain = character if character.isascii() and character.isprintable() else "a"
    longest = replace(
        RECORD,
        client=plain * 200,
        path=plain * MAX_URL,
        query=plain * MAX_URL,
        headers={plain * (MAX_HEADERS // 2): plain * (MAX_HEADERS // 2)},
        body=character * MAX_BODY,
        response=character * MAX_BODY,
    )

    bounded = longest.bounded()

    assert len(json.dumps(bounded.as_dict())) <= MAX_RECORD
    assert bounded.body.startswith(character * (MAX_BODY // 16 - 1))
    if character == "a":
        assert bounded is longest


def test_a_small_record_is_unchanged() -> None:
    assert RECORD.bounded() is RECORD
    assert RequestRecord.from_dict(json.loads(json.dumps(RECORD.as_dict()))) == RECORD


def test_a_text_that_was_cut_ends_with_an_ellipsis() -> None:
    assert [cut("abcd", limit) for limit in (4, 3, 1)] == ["abcd", "ab…", "…"]
