"""Large responses: the same bytes as before up to the maximum, and a 507 above it."""

import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import v1_calls
from tests.support import v2_calls as v2
from tests.support.memory import MIB, peak_growth

DEEP = "[" * 40 + ",".join(["0"] * 100_000) + "]" * 40
MIXED = {"b": [1e300, 1e-7, "é\x7f😀", [], {}, {"z": 1, "a": [None, True]}] * 5000, "a": {"": [[]]}}


def create(client: FlaskClient, value: str) -> None:
    answer = client.post(
        v2.entries(), data=f'{{"key":"k","value":{value}}}', content_type="application/json"
    )
    assert answer.status_code == 201


def native(client: FlaskClient) -> TestResponse:
    return client.get(v1_calls.entry("k") + "?stringify=false")


def trigger(client: FlaskClient, run_id: str, conf: str) -> None:
    body = f'{{"logical_date":null,"dag_run_id":"{run_id}","conf":{conf}}}'
    answer = client.post("/api/v2/dags/etl/dagRuns", data=body, content_type="application/json")
    assert answer.status_code == 200


def test_large_value_has_the_bytes_of_json_dumps(client: FlaskClient) -> None:
    create(client, json.dumps(MIXED))

    text = native(client).get_data(as_text=True)

    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert json.loads(text)["value"] == MIXED


@pytest.mark.parametrize("query", ["", "?fields=conf&fields=dag_run_id"])
def test_large_page_of_runs_has_the_bytes_of_json_dumps(client: FlaskClient, query: str) -> None:
    for run_id in ("r1", "r2"):
        trigger(client, run_id, json.dumps(MIXED))

    text = client.get("/api/v1/dags/etl/dagRuns" + query).get_data(as_text=True)

    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert [run["conf"] for run in json.loads(text)["dag_runs"]] == [MIXED, MIXED]


def test_value_that_is_too_large_when_it_is_indented_is_a_507(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(max_response_bytes=MIB)
    create(client, DEEP)

    answer, mib = peak_growth(lambda: native(client))

    assert answer.status_code == 507
    assert answer.get_json() == {
        "detail": "The response would be larger than 1048576 bytes (XCOM_MAX_RESPONSE_BYTES)."
        " With stringify=true, or in /api/v2, the response is smaller.",
        "status": 507,
        "title": "Insufficient Storage",
        "type": "about:blank",
    }
    assert mib < 16
    assert client.get(v1_calls.entry("k") + "?stringify=true").status_code == 200
    assert client.get(v2.entry("k")).status_code == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_page_whose_texts_are_too_large_is_a_507(
    make_client: Callable[..., FlaskClient], version: str
) -> None:
    client = make_client(max_response_bytes=MIB)
    conf = json.dumps({"a": "x" * 300_000})
    for number in range(4):
        trigger(client, f"r{number}", conf)

    answer = client.get(f"/api/{version}/dags/etl/dagRuns")
    batch = client.post(f"/api/{version}/dags/~/dagRuns/list", json={"page_limit": 10_000})

    detail = (
        "The response would be larger than 1048576 bytes (XCOM_MAX_RESPONSE_BYTES)."
        " Select fewer rows, for example with a smaller limit."
    )
    for each in (answer, batch):
        assert each.status_code == 507
        assert each.get_json()["detail"] == detail
    page = client.get(f"/api/{version}/dags/etl/dagRuns?limit=3").get_json()
    assert [run["conf"] for run in page["dag_runs"]] == [json.loads(conf)] * 3


def test_run_whose_conf_is_too_large_to_return_is_refused(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(max_response_bytes=MIB)

    answer = client.post(
        "/api/v1/dags/etl/dagRuns",
        data=f'{{"dag_run_id":"r","conf":{{"a":{DEEP}}}}}',
        content_type="application/json",
    )

    assert answer.status_code == 507
    assert answer.get_json()["detail"].endswith("(XCOM_MAX_RESPONSE_BYTES). Nothing was stored.")
    assert client.get("/api/v2/dags/etl/dagRuns/r").status_code == 404


def test_change_is_stored_if_its_response_is_too_large(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(max_response_bytes=MIB)
    trigger(client, "r", f'{{"a":{DEEP}}}')

    answer = client.patch("/api/v1/dags/etl/dagRuns/r/setNote", json={"note": "new"})

    assert answer.status_code == 507
    assert answer.get_json()["detail"].endswith("the change was stored.")
    assert client.get("/api/v2/dags/etl/dagRuns/r").get_json()["note"] == "new"


def test_results_that_are_too_large_are_a_507(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(max_response_bytes=1000)
    trigger(client, "r", "{}")
    client.patch("/api/v2/dags/etl/dagRuns/r", json={"state": "success"})
    body = {"key": "return_value", "value": "x" * 2000}
    client.post("/api/v2/dags/etl/dagRuns/r/taskInstances/t/xcomEntries", json=body)

    answer = client.get("/api/v2/dags/etl/dagRuns/r/wait?interval=1&result=t")

    assert answer.status_code == 507
