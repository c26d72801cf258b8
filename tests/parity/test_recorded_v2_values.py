"""Values that tasks stored are shown as by a real Airflow 3.3.2."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from xcom_server.formats import strict_json
from xcom_server.values.decode import decode_v2

from tests.support import recorded
from tests.support.paths import PARITY, ROOT

VALUES = PARITY / "airflow-3.3.2.values.jsonl"
SHOWN = recorded.values(VALUES, 200)
FAILED = recorded.values(VALUES, 500)
DIFFERENCES = recorded.rows(
    (ROOT / "docs" / "differences.md").read_text(encoding="utf-8"),
    "v2: values that differ",
    [case[0] for case in SHOWN + FAILED],
)


def shown(stored: str, form: str) -> Any:
    value = decode_v2(stored) if form.startswith("deserialize") else json.loads(stored)
    return str(value) if form.endswith("stringify") and value is not None else value


@pytest.mark.parametrize(
    ("case", "stored", "form", "value"), SHOWN, ids=[case[0] for case in SHOWN]
)
def test_value_matches_the_recording(
    case: str, stored: str, form: str, value: Any, count_case: Callable[..., None]
) -> None:
    same = json.dumps(shown(stored, form)) == json.dumps(value)

    assert same != (case in DIFFERENCES)
    count_case("recorded answers of 3.3.2 with a stored value")


@pytest.mark.parametrize(
    ("case", "stored", "form"), [case[:3] for case in FAILED], ids=[case[0] for case in FAILED]
)
def test_value_that_airflow_fails_on_is_shown(
    case: str, stored: str, form: str, count_case: Callable[..., None]
) -> None:
    value = shown(stored, form)

    assert strict_json.loads(json.dumps(value)) == value
    count_case("recorded values of 3.3.2 that it answers with a 500")


def test_every_documented_difference_names_a_recorded_value() -> None:
    assert DIFFERENCES.keys() <= {case[0] for case in SHOWN + FAILED}
