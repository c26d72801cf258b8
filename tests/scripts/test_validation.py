"""Validation of scripts: every error has the path of the wrong part."""

from typing import Any

import pytest
from xcom_server.scripts.validation import (
    MAX_KEY_LENGTH,
    InvalidScript,
    named_tasks,
    validate,
)
from xcom_server.storage import models
from xcom_server.task_graph import Task

TASKS: list[Task] = [
    {"task_id": "extract"},
    {"task_id": "two", "mapped": 2},
    {"task_id": "any", "is_mapped": True},
]
LONGEST = "k" * MAX_KEY_LENGTH


@pytest.mark.parametrize(
    "script",
    [
        {},
        [{}, {"states": ["queued"]}],
        {"states": ["queued", "queued", "running", "running", "failed"], "advance": "read"},
        {"states": ["success"], "advance": {"seconds": []}},
        {"advance": {"seconds": 0.5}},
        {"states": ["queued", "running"], "advance": {"seconds": [60]}},
        {"tasks": {"extract": {"state": "failed", "entries": {LONGEST: None}, "log": "a"}}},
        {"tasks": {"two": {"mapped": [{"state": "skipped"}, {"entries": {"k": [{}]}}]}}},
        {"tasks": {"any": {"log": "x", "mapped": [{}] * 5}}},
        {"tasks": {"extract": {"entries": {"k": {"a": {"$conf": "a.b", "default": None}}}}}},
    ],
)
def test_valid_script(script: Any) -> None:
    validate(script, TASKS)


INVALID = [
    (5, "script must be an object"),
    ([], "script must be an object, or a list of at least one object"),
    ([{}, 5], "script[1] must be an object"),
    (
        {"stats": []},
        "script has the unknown field 'stats'; allowed: states, advance, tasks",
    ),
    ({"states": []}, "script.states must be a list of at least one state"),
    ({"states": "queued"}, "script.states must be a list of at least one state"),
    ({"states": None}, "script.states must be a list of at least one state"),
    ({"states": ["up"]}, "script.states[0] must be one of queued, running, success, failed"),
    ({"states": [["queued"]]}, "script.states[0] must be one of queued, running, success, failed"),
    ({"states": ["running", "queued"]}, "script.states[1] must not be queued after running"),
    ({"states": ["success", "failed"]}, "script.states[0] is success, which must be the last"),
    ([{"states": ["x"]}], "script[0].states[0] must be one of queued, running, success, failed"),
    ({"advance": "time"}, 'script.advance must be "read" or an object with seconds'),
    ({"advance": {}}, 'script.advance must be "read" or an object with seconds'),
    (
        {"advance": {"seconds": 1, "unit": "s"}},
        "script.advance has the unknown field 'unit'; allowed: seconds",
    ),
    (
        {"advance": {"seconds": -1}},
        "script.advance.seconds must be a number from 0 to 31536000, or a list of such numbers",
    ),
    (
        {"advance": {"seconds": True}},
        "script.advance.seconds must be a number from 0 to 31536000, or a list of such numbers",
    ),
    (
        {"advance": {"seconds": [1]}},
        "script.advance.seconds must have 2 numbers, one for each state except the last",
    ),
    (
        {"advance": {"seconds": [1, 31536001]}},
        "script.advance.seconds[1] must be a number from 0 to 31536000",
    ),
    ({"tasks": []}, "script.tasks must be an object"),
    ({"tasks": {"nope": {}}}, "script.tasks.nope is not a task of the DAG"),
    ({"tasks": {"extract": 1}}, "script.tasks.extract must be an object"),
    (
        {"tasks": {"extract": {"stat": 1}}},
        "script.tasks.extract has the unknown field 'stat'; allowed: state, entries, log, mapped",
    ),
    (
        {"tasks": {"extract": {"state": "running"}}},
        "script.tasks.extract.state must be one of success, failed, skipped, upstream_failed",
    ),
    (
        {"tasks": {"extract": {"state": "skipped", "log": "x"}}},
        "script.tasks.extract has entries or a log, but does not run",
    ),
    ({"tasks": {"extract": {"log": 5}}}, "script.tasks.extract.log must be a string without NUL"),
    ({"tasks": {"extract": {"log": "\0"}}}, "script.tasks.extract.log must be a string"),
    ({"tasks": {"extract": {"entries": []}}}, "script.tasks.extract.entries must be an object"),
    *(
        (
            {"tasks": {"extract": {"entries": {key: 1}}}},
            "script.tasks.extract.entries has a key that is not 1 to 512 characters without NUL",
        )
        for key in ("", "\0", LONGEST + "k")
    ),
    (
        {"tasks": {"extract": {"entries": {"k": {"$conf": 1}}}}},
        "script.tasks.extract.entries.k.$conf must be a name or a path",
    ),
    (
        {"tasks": {"extract": {"entries": {"k": [{"x": {"$conf": "a", "or": 1}}]}}}},
        "script.tasks.extract.entries.k[0].x has the unknown field 'or'; allowed: $conf, default",
    ),
    (
        {"tasks": {"extract": {"mapped": [{}]}}},
        "script.tasks.extract.mapped is for a mapped task: set is_mapped or mapped in the DAG's",
    ),
    (
        {"tasks": {"any": {"mapped": []}}},
        "script.tasks.any.mapped must be a list of at least one object",
    ),
    (
        {"tasks": {"two": {"mapped": [{}]}}},
        "script.tasks.two.mapped must have 2 objects, as the task has map indexes",
    ),
    (
        {"tasks": {"two": {"mapped": [{}, {"mapped": []}]}}},
        "script.tasks.two.mapped[1] has the unknown field 'mapped'; allowed: state, entries, log",
    ),
    (
        {"tasks": {"any": {"mapped": [{"state": "x"}]}}},
        "script.tasks.any.mapped[0].state must be one of success, failed, skipped",
    ),
]


@pytest.mark.parametrize(("script", "message"), INVALID, ids=[message for _, message in INVALID])
def test_invalid_script(script: Any, message: str) -> None:
    with pytest.raises(InvalidScript) as raised:
        validate(script, TASKS)

    assert str(raised.value).startswith(message)


def test_tasks_that_a_script_names() -> None:
    script = [{"tasks": {"b": {}, "a": {"mapped": [{}]}}}, {"tasks": {"c": {}, "b": {}}}, {}]

    assert named_tasks(script) == [
        {"task_id": "b"},
        {"task_id": "a", "is_mapped": True},
        {"task_id": "c"},
    ]
    validate(script, named_tasks(script))
    for invalid in (None, 5, [5], {"tasks": 5}):
        assert named_tasks(invalid) == []


def test_key_can_be_as_long_as_that_of_any_entry() -> None:
    assert MAX_KEY_LENGTH == models.MAX_KEY_LENGTH
