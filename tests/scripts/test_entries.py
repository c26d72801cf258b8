"""Entries with parts of the run's conf."""

import json
from typing import Any

import pytest
from xcom_server.scripts.entries import entry_texts
from xcom_server.scripts.plans import InstancePlan

CONF = {"table": "orders", "empty": None, "a": {"b": [1], "c": {"d": 2}}, "x.y": 3, "text": "a"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"$conf": "table"}, "orders"),
        ({"rows": [5, {"$conf": "table"}]}, {"rows": [5, "orders"]}),
        ({"$conf": "a"}, {"b": [1], "c": {"d": 2}}),
        ({"$conf": "a.c.d"}, 2),
        ({"$conf": "x.y"}, 3),
        ({"$conf": "missing"}, None),
        ({"$conf": "missing", "default": {"x": 1}}, {"x": 1}),
        ({"$conf": "a.missing", "default": 7}, 7),
        ({"$conf": "text.a", "default": 7}, 7),
        ({"$conf": "empty", "default": 7}, None),
        ({"default": 1}, {"default": 1}),
        ("$conf", "$conf"),
    ],
)
def test_parts_of_the_conf(value: Any, expected: Any) -> None:
    texts = entry_texts(InstancePlan("success", {"k": value, "l": 1}), json.dumps(CONF))

    assert {key: json.loads(text) for key, text in texts.items()} == {"k": expected, "l": 1}
