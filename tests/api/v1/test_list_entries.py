"""GET …/xcomEntries lists entries without values, page by page."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.databases import load
from tests.support.v1_calls import create, entries, entry, error_detail

NAMES = [
    ("a", "r1", "t1", -1, "k"),
    ("a", "r1", "t1", 0, "k"),
    ("a", "r1", "t1", 0, "K"),
    ("a", "r2", "t1", -1, "é"),
    ("a", "r2", "t1", -1, "z"),
    ("b", "r1", "t2", 10, "k"),
    ("b", "r1", "t2", 9, "k"),
    ("B", "r1", "t1", -1, "k"),
    ("a", "r1", "t0", -1, "~"),
]


@pytest.fixture
def seeded(client: FlaskClient, database_url: str) -> FlaskClient:
    """Return a client of a server that holds NAMES."""
    fields = ("dag_id", "run_id", "task_id", "map_index", "key")
    load(
        database_url,
        json.dumps([dict(zip(fields, name, strict=True)) | {"value": "v"} for name in NAMES]),
    )
    return client


def listed(client: FlaskClient, path: str, **query: Any) -> list[tuple[str, str, int, str]]:
    found = client.get(path, query_string=query).get_json()["xcom_entries"]
    return [(each["dag_id"], each["task_id"], each["map_index"], each["key"]) for each in found]


def test_entries_are_listed_without_values(client: FlaskClient) -> None:
    created = create(client).get_json()
    del created["value"]

    assert client.get(entries()).get_json() == {"total_entries": 1, "xcom_entries": [created]}


def test_entries_sort_by_name_in_byte_order(seeded: FlaskClient) -> None:
    in_order = sorted(NAMES, key=lambda name: (name[0], name[2], name[1], name[3], name[4]))

    assert listed(seeded, entries("~", "~", "~")) == [
        (dag, task, index, key) for dag, run, task, index, key in in_order
    ]


@pytest.mark.parametrize(
    ("dag", "run", "task"),
    [
        ("~", "~", "~"),
        ("a", "~", "~"),
        ("~", "r1", "~"),
        ("~", "~", "t1"),
        ("a", "r1", "t1"),
        ("a", "~", "t1"),
        ("nope", "~", "~"),
    ],
)
def test_tilde_matches_every_dag_run_and_task(
    seeded: FlaskClient, dag: str, run: str, task: str
) -> None:
    matching = [
        name
        for name in NAMES
        if dag in ("~", name[0]) and run in ("~", name[1]) and task in ("~", name[2])
    ]

    answer = seeded.get(entries(dag, run, task)).get_json()

    assert answer["total_entries"] == len(answer["xcom_entries"]) == len(matching)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"map_index": 0}, 2),
        ({"map_index": -1}, 5),
        ({"map_index": 99}, 0),
        ({"map_index": -5}, 0),
        ({"map_index": 2**31}, 0),
        ({"map_index": 10**30}, 0),
        ({"xcom_key": "k"}, 5),
        ({"xcom_key": "~"}, 1),
        ({"xcom_key": ""}, 0),
        ({"xcom_key": "k", "map_index": 0}, 1),
    ],
)
def test_entries_are_filtered_by_key_and_map_index(
    seeded: FlaskClient, query: dict[str, Any], count: int
) -> None:
    answer = seeded.get(entries("~", "~", "~"), query_string=query).get_json()

    assert answer["total_entries"] == len(answer["xcom_entries"]) == count


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_paging_returns_every_entry_once(seeded: FlaskClient, limit: int) -> None:
    path = entries("~", "~", "~")
    walked = [
        name
        for offset in range(0, len(NAMES) + limit, limit)
        for name in listed(seeded, path, limit=limit, offset=offset)
    ]

    assert walked == listed(seeded, path)
    assert seeded.get(path, query_string={"limit": limit}).get_json()["total_entries"] == 9


@pytest.mark.parametrize(
    ("limit", "size"), [(None, 4), ("0", 4), ("3", 3), ("7", 5), ("99999999999999999999", 5)]
)
def test_page_size_has_a_default_and_a_maximum(
    make_client: Callable[..., FlaskClient], seeded: FlaskClient, limit: str | None, size: int
) -> None:
    client = make_client(maximum_page_limit=5, fallback_page_limit=4)
    query = {"limit": limit or 0}

    assert len(listed(client, entries("~", "~", "~"), **query)) == size


def test_default_page_size_is_100(client: FlaskClient, database_url: str) -> None:
    load(
        database_url,
        json.dumps(
            [
                {"dag_id": "a", "run_id": "r", "task_id": "t", "key": f"{number}", "value": number}
                for number in range(150)
            ]
        ),
    )

    assert len(listed(client, entries("a", "r", "t"))) == 100


def test_negative_limit_is_rejected(client: FlaskClient) -> None:
    answer = client.get(entries(), query_string={"limit": -1})

    assert error_detail(answer, 400, "Page limit must be a positive integer") is None


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        ("-1", "-1 is less than the minimum of 0"),
        ("9223372036854775808", "9223372036854775808 is greater than the maximum of"),
    ],
)
def test_invalid_offset_is_rejected(client: FlaskClient, offset: str, words: str) -> None:
    detail = error_detail(client.get(entries(), query_string={"offset": offset}), 400)

    assert detail is not None
    assert detail.startswith(words)


def test_offset_past_the_end_gives_an_empty_page(seeded: FlaskClient) -> None:
    query = {"offset": 9223372036854775807}

    answer = seeded.get(entries("~", "~", "~"), query_string=query).get_json()

    assert answer == {"total_entries": 9, "xcom_entries": []}


def test_deleted_entry_is_not_listed(client: FlaskClient) -> None:
    create(client)
    client.delete(entry("k"))

    assert client.get(entries()).get_json() == {"total_entries": 0, "xcom_entries": []}
