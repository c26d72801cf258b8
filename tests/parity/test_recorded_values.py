"""Values that tasks stored are shown as by a real Airflow 2.10.5."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from xcom_server.values.decode import decode_v1
from xcom_server.values.types import as_json

from tests.support import recorded
from tests.support.paths import PARITY, ROOT

FORMS = {
    "default": (False, False),
    "native": (False, True),
    "deserialize": (True, False),
    "deserialize-native": (True, True),
}
"""Form of a request -> whether the value is rebuilt, whether it is shown as JSON."""

VALUES = PARITY / "airflow-2.10.5.values.jsonl"
SHOWN = recorded.values(VALUES, 200)
FAILED = recorded.values(VALUES, 500)
DIFFERENCES = recorded.rows(
    (ROOT / "docs" / "differences.md").read_text(encoding="utf-8"), "Values that differ"
)


def shown(stored: str, form: str) -> Any:
    rebuild, native = FORMS[form]
    value = decode_v1(stored, rebuild=rebuild)
    if native:
        return json.loads(json.dumps(as_json(value), allow_nan=False))
    return None if value is None else str(value)


@pytest.mark.parametrize(
    ("case", "stored", "form", "value"), SHOWN, ids=[case[0] for case in SHOWN]
)
def test_value_matches_the_recording(
    case: str, stored: str, form: str, value: Any, count_case: Callable[..., None]
) -> None:
    same = shown(stored, form) == value

    assert same != (case in DIFFERENCES)
    count_case("recorded answers of 2.10.5 with a stored value")


@pytest.mark.parametrize(
    ("case", "stored", "form"), [case[:3] for case in FAILED], ids=[case[0] for case in FAILED]
)
def test_value_that_airflow_fails_on_is_shown(
    case: str, stored: str, form: str, count_case: Callable[..., None]
) -> None:
    value = shown(stored, form)

    plain = shown(stored, form.replace("deserialize-", "").replace("deserialize", "default"))
    assert value == plain or case.startswith(("h_dec_strsnan",))
    count_case("recorded values of 2.10.5 that it answers with a 500")


def test_every_documented_difference_names_a_recorded_value() -> None:
    assert DIFFERENCES.keys() <= {case[0] for case in SHOWN + FAILED}
