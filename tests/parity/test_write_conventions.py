"""Writes reject bodies and masks with the texts of Airflow 2.10.5's other resources."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.support import recorded
from tests.support.paths import PARITY
from tests.support.v1_calls import create, entries, entry, stored_values

FOLLOWED = {
    *(
        f"var-{method}-{what}"
        for method in ("post", "patch")
        for what in ("malformed", "array", "no-body", "no-ctype", "text-ctype")
    ),
    *(f"var-post-{what}" for what in ("string", "null", "empty-body", "form-ctype")),
    *(f"var-patch-mask-{what}" for what in ("unknown", "case", "brackets", "key")),
    "conn-patch-mask-unknown",
    "conn-patch-malformed",
    "conn-post-malformed",
}
"""Recordings about bodies and masks in general, not about the fields of one resource."""

CASES = [
    case
    for case in recorded.cases(PARITY / "airflow-2.10.5.write-conventions.jsonl")
    if case["id"] in FOLLOWED
]


def test_all_followed_recordings_exist() -> None:
    assert {case["id"] for case in CASES} == FOLLOWED


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_write_error_has_the_recorded_text(
    client: FlaskClient, case: recorded.Case, count_case: Callable[..., None]
) -> None:
    create(client, "v1", "old")
    request = case["request"]
    path = entries() if request["method"] == "POST" else entry("v1")
    body = {"data": request["body"]} if request["body_is_raw"] else {"json": request["body"]}
    if request["body"] is None:
        body = {}

    answer = client.open(
        f"{path}?{request['query']}",
        method=request["method"],
        content_type=request["headers"].get("Content-Type"),
        **body,
    )

    assert answer.status_code == case["response"]["status"]
    assert answer.get_json() == case["response"]["body"]
    assert stored_values(client) == {"v1": "old"}
    count_case("recorded write conventions of 2.10.5, followed to the letter")
