"""The clients that Airflow publishes for v2 list, filter and sort entries."""

import itertools
import operator
from collections.abc import Callable
from typing import Any

import pytest
from xcom_server.testing import XcomServer

from tests.support.official import OfficialClient, only
from tests.support.official_v2 import ITEM, RUN

pytestmark = pytest.mark.clients

RUNS = {
    "scheduled__2024-01-01T00:00:00+00:00": ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"),
    "manual__2024-02-03T04:05:06.789+02:00": (
        "2024-02-03T02:05:06.789000Z",
        "2024-02-03T02:05:06.789000Z",
    ),
    "asset_triggered": (None, "2024-03-01T12:00:00Z"),
}
"""Run ids -> the logical date of each run (one has none) and its run_after."""
TASKS = ["extract", "load"]
PAGED = [f"entry_{number:02}" for number in range(25)]
ROW = ("run_id", "task_id", "map_index", "key")
BOUNDS = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}


def rows_of(dag_id: str) -> list[dict[str, Any]]:
    """Return the entries of a DAG; no two have the same timestamp."""
    names = [
        *itertools.product(RUNS, TASKS, [-1], ["Rows", "return_value", "rows_read"]),
        *itertools.product([RUN], ["mapped"], range(3), ["first", "second"]),
        *((RUN, "paged", -1, key) for key in PAGED),
    ]
    return [
        {
            "dag_id": dag_id,
            **dict(zip(ROW, name, strict=True)),
            "value": name[-1],
            "timestamp": f"2024-05-06T07:{number * 37 % 60:02}:00.5Z",
        }
        for number, name in enumerate(names)
    ]


def runs_of(dag_id: str) -> dict[str, Any]:
    return {
        "dag_runs": [
            {
                "dag_id": dag_id,
                "run_id": run_id,
                "logical_date": logical_date,
                "run_after": run_after,
            }
            for run_id, (logical_date, run_after) in RUNS.items()
        ]
    }


@pytest.fixture(scope="module", autouse=True)
def stored(guarded: XcomServer) -> None:
    """Store the same entries for each version of the client."""
    for version in ITEM:
        dag_id = OfficialClient(version, guarded.url, print).dag_id
        guarded.seed(runs_of(dag_id))
        guarded.seed(rows_of(dag_id))


def listed(official: OfficialClient, *, limit: int = 100, **options: Any) -> list[tuple[Any, ...]]:
    found = official.walk(official.dag_id, "~", "~", limit=limit, **options)
    return [tuple(entry[name] for name in ROW) for entry in found]


def kept(
    official: OfficialClient, keep: Callable[[dict[str, Any]], object]
) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in ROW) for row in rows_of(official.dag_id) if keep(row)]


@pytest.mark.parametrize("limit", [1, 7, 25, 100])
def test_paging_returns_every_entry_once(official: OfficialClient, limit: int) -> None:
    found = official.walk(official.dag_id, RUN, "paged", limit=limit)
    assert [entry["key"] for entry in found] == PAGED
    assert all(entry.keys() == ITEM[official.version] for entry in found)


@pytest.mark.parametrize("anywhere", list(itertools.product([True, False], repeat=3)))
def test_tilde_matches_any_dag_run_and_task(
    official: OfficialClient, anywhere: tuple[bool, bool, bool]
) -> None:
    named = (official.dag_id, RUN, "extract")
    found = official.walk(
        *("~" if wild else name for wild, name in zip(anywhere, named, strict=True)), limit=100
    )
    # other tests have entries of their own in other DAGs
    ours = [
        tuple(entry[name] for name in ROW)
        for entry in found
        if not anywhere[0] or entry["dag_id"] == official.dag_id
    ]
    assert sorted(ours) == sorted(
        kept(
            official,
            lambda row: (
                (anywhere[1] or row["run_id"] == RUN)
                and (anywhere[2] or row["task_id"] == "extract")
            ),
        )
    )


@pytest.mark.parametrize(
    "options",
    [
        {"map_index": 1},
        {"map_index": -1},
        {"xcom_key": "second"},
        {"xcom_key": "sec"},
        {"map_index": 2, "xcom_key": "first"},
    ],
)
def test_list_is_filtered_by_key_and_map_index(
    official: OfficialClient, options: dict[str, Any]
) -> None:
    assert sorted(listed(official, **options)) == sorted(
        kept(
            official,
            lambda row: (
                options.get("map_index", row["map_index"]) == row["map_index"]
                and options.get("xcom_key", row["key"]) == row["key"]
            ),
        )
    )


@only("3.3.2")
@pytest.mark.parametrize(
    ("options", "keep"),
    [
        ({"xcom_key_pattern": "OW"}, lambda row: row["key"] in ("Rows", "rows_read")),
        ({"xcom_key_pattern": "r%n_v"}, lambda row: row["key"] == "return_value"),
        ({"xcom_key_pattern": "rows|value"}, lambda row: row["task_id"] in TASKS),
        ({"xcom_key_pattern": "~"}, lambda row: True),
        ({"xcom_key_pattern": "nothing"}, lambda row: False),
        ({"xcom_key_prefix_pattern": "r"}, lambda row: row["key"].startswith("r")),
        ({"xcom_key_prefix_pattern": "rows_"}, lambda row: row["key"] == "rows_read"),
        ({"xcom_key_prefix_pattern": "R|re"}, lambda row: row["key"] in ("Rows", "return_value")),
        ({"xcom_key_prefix_pattern": "ow"}, lambda row: False),
        ({"dag_display_name_pattern": "IENTS_3_3"}, lambda row: True),
        ({"dag_display_name_pattern": "clients_3_0"}, lambda row: False),
        ({"dag_display_name_prefix_pattern": "clients_3_3"}, lambda row: True),
        ({"dag_display_name_prefix_pattern": "CLIENTS"}, lambda row: False),
        ({"run_id_pattern": "LED__2024-01"}, lambda row: row["run_id"] == RUN),
        ({"run_id_pattern": "+02:00"}, lambda row: row["run_id"].startswith("manual")),
        ({"run_id_prefix_pattern": "asset|manual"}, lambda row: row["run_id"] != RUN),
        ({"task_id_pattern": "A"}, lambda row: "a" in row["task_id"]),
        ({"task_id_prefix_pattern": "load|map"}, lambda row: row["task_id"] in ("load", "mapped")),
        ({"map_index_filter": 1}, lambda row: row["map_index"] == 1),
        ({"map_index_filter": -1}, lambda row: row["map_index"] == -1),
        (
            {
                "task_id_pattern": "load",
                "xcom_key_prefix_pattern": "re",
                "run_after_gt": "2024-02-01T00:00:00Z",
            },
            lambda row: (
                (row["task_id"], row["key"]) == ("load", "return_value") and row["run_id"] != RUN
            ),
        ),
    ],
    ids=lambda each: "expected" if callable(each) else None,
)
def test_list_is_filtered_by_patterns(
    official: OfficialClient, options: dict[str, Any], keep: Callable[[dict[str, Any]], bool]
) -> None:
    assert sorted(listed(official, **options)) == sorted(kept(official, keep))


@only("3.3.2")
@pytest.mark.parametrize("field", ["logical_date", "run_after"])
@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("date", ["2024-02-03T02:05:06.789Z", "2024-02-03T07:35:06.789+05:30"])
def test_list_is_filtered_by_dates(
    official: OfficialClient, field: str, bound: str, date: str
) -> None:
    position = ("logical_date", "run_after").index(field)
    runs = [
        run_id
        for run_id, dates in RUNS.items()
        if (known := dates[position]) and BOUNDS[bound](known, "2024-02-03T02:05:06.789000Z")
    ]
    options: dict[str, Any] = {f"{field}_{bound}": date}
    assert sorted(listed(official, **options)) == sorted(
        kept(official, lambda row: row["run_id"] in runs)
    )


@only("3.3.2")
@pytest.mark.parametrize("limit", [4, 100])
@pytest.mark.parametrize(
    "order_by",
    [
        ["key"],
        ["-key"],
        ["run_id"],
        ["-task_id", "key"],
        ["map_index", "-key"],
        ["-timestamp"],
        ["dag_id", "timestamp"],
        ["-run_after", "task_id", "-map_index"],
    ],
)
def test_order_by_sorts_the_list(official: OfficialClient, order_by: list[str], limit: int) -> None:
    found = official.walk(official.dag_id, "~", "~", limit=limit, order_by=order_by)
    expected = found
    for name in reversed(order_by):
        expected = sorted(
            expected, key=operator.itemgetter(name.lstrip("-")), reverse=name.startswith("-")
        )
    assert found == expected
    assert sorted(tuple(entry[name] for name in ROW) for entry in found) == sorted(
        kept(official, lambda row: True)
    )
