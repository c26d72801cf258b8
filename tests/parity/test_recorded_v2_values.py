"""It shows the values that tasks stored as a real Airflow 3.3.2 shows them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app import strict_json
from app.storage.values import readable
from tests.conftest import PARITY, ROOT
from tests.parity import recorded

STORED = recorded.cases(PARITY / "airflow-3.3.2.values.jsonl")


def shown(stored: str, form: str) -> Any:
    value = readable(stored) if form.startswith("deserialize") else json.loads(stored)
    return str(value) if form.endswith("stringify") and value is not None else value


def can_be_stored(stored: str) -> bool:
    try:
        strict_json.loads(stored)
    except strict_json.InvalidJson:
        return False
    return True


CASES = [(f"{case['id']}-{form}", case["stored"], form, answer)
         for case in STORED if can_be_stored(case["stored"])
         for form, answer in case["answers"].items()]
SHOWN = [case for case in CASES if case[3]["status"] == 200]
FAILED = [case for case in CASES if case[3]["status"] == 500]
DIFFERENCES = recorded.rows((ROOT / "docs" / "differences.md").read_text(encoding="utf-8"),
                            "v2: values that differ", [case[0] for case in CASES])


@pytest.mark.parametrize(("case", "stored", "form", "answer"), SHOWN,
                         ids=[case[0] for case in SHOWN])
def test_a_value_is_shown_as_recorded(case: str, stored: str, form: str, answer: dict[str, Any],
                                      count_case: Callable[..., None]) -> None:
    same = json.dumps(shown(stored, form)) == json.dumps(answer["value"])

    assert same != (case in DIFFERENCES)
    count_case("recorded values of 3.3.2, four ways each")


@pytest.mark.parametrize(("case", "stored", "form", "answer"), FAILED,
                         ids=[case[0] for case in FAILED])
def test_a_value_that_airflow_fails_on_is_shown_all_the_same(
        case: str, stored: str, form: str, answer: dict[str, Any],
        count_case: Callable[..., None]) -> None:
    value = shown(stored, form)

    assert strict_json.loads(json.dumps(value)) == value
    count_case("recorded values of 3.3.2 that it answers with a 500")


def test_every_row_names_recorded_values() -> None:
    assert DIFFERENCES.keys() <= {case[0] for case in CASES}
