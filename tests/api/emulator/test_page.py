"""The page of the emulator: its views, filters and headers."""

import json
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from xcom_server.api.emulator.journal import JournalApi
from xcom_server.api.emulator.page import request_views, store_views
from xcom_server.emulator.records import MAX_BODY, MAX_URL
from xcom_server.emulator.verdicts import Finding, Judgment, Verdict
from xcom_server.storage.emulator import EmulatorState

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.emulator import problem
from tests.support.page import ENTRY, PAGE, RECORD, Shown, record


@pytest.fixture
def state(emulator: FlaskClient) -> EmulatorState:
    found: EmulatorState = emulator.application.extensions["emulator"]
    return found


def html(client: FlaskClient, path: str = "", status: int = 200) -> str:
    answer = client.get(f"{PAGE}{path}")
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "text/html"
    return answer.text


def numbers(text: str) -> list[int]:
    return [int(each) for each in Shown(text).values("tr", "data-number")]


@pytest.mark.parametrize("path", ["", "page/entries", "page/runs", "page/controls"])
def test_policy_allows_only_this_server(emulator: FlaskClient, path: str) -> None:
    headers = emulator.get(f"{PAGE}{path}").headers

    assert headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_page_without_a_slash_is_redirected(emulator: FlaskClient) -> None:
    answer = emulator.get("/_emulator?client=x", headers={"Host": "some-name.localhost"})

    assert answer.status_code == 308
    location = answer.headers["Location"]
    assert urljoin("http://a/base/_emulator", location) == "http://a/base/_emulator/?client=x"


@pytest.mark.parametrize("path", ["", "page/entries", "page/requests/999"])
def test_links_and_assets_exist(emulator: FlaskClient, path: str) -> None:
    shown = Shown(emulator.get(f"{PAGE}{path}").text)
    links = shown.values("a", "href") + shown.values("link", "href") + shown.values("script", "src")
    own = [each for each in links if not each.startswith(("#", "https://"))]

    assert len(own) > 8
    for each in own:
        found = emulator.get(urljoin(f"http://localhost{PAGE}{path}", each))
        assert found.status_code == 200, each
        found.close()


def test_request_is_listed_with_its_verdict(emulator: FlaskClient, state: EmulatorState) -> None:
    number = record(state, status=404, query="map_index=3", client="my-client/1")
    text = Shown(html(emulator)).text

    for each in (f"#{number}", "refused", "404", "GET", f"{ENTRY}?map_index=3", "my-client/1"):
        assert each in text
    assert "09:30:00.123" in text


def test_request_is_shown_in_full(emulator: FlaskClient, state: EmulatorState) -> None:
    first, number, _ = (record(state, body='{"a": 1}', total_entries=7, items=2) for _ in "abc")
    shown = Shown(html(emulator, f"page/requests/{number}"))

    assert {str(first), str(number + 1)} <= set(shown.values("a", "href"))
    for each in (*RECORD.headers, *RECORD.headers.values(), RECORD.response, '{"a": 1}', "2 of 7"):
        assert each in shown.text
    assert f"http://localhost{ENTRY}" in shown.text
    assert '--user "$AIRFLOW_USER"' in shown.text
    assert "Set AIRFLOW_USER to NAME:PASSWORD" in shown.text


def test_finding_links_to_its_rule(emulator: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = (Finding("a-rule", "It is wrong.", "GET /right"),)
    judged = [(7, RECORD, Judgment(Verdict.LENIENT, "A reason.", findings))]
    monkeypatch.setattr(JournalApi, "judged", lambda self: judged)

    shown = Shown(html(emulator, "page/requests/7"))
    for each in ("lenient", "A reason.", "It is wrong.", "a-rule", "GET /right"):
        assert each in shown.text
    assert any(each.endswith("/docs/rules.md#a-rule") for each in shown.values("a", "href"))
    assert "It is wrong." in html(emulator)


def test_command_of_a_cut_body_is_marked(emulator: FlaskClient, state: EmulatorState) -> None:
    body = record(state, body="x" * (MAX_BODY - 1) + "…")
    url = record(state, path="/" + "x" * (MAX_URL - 2) + "…")

    assert "start of the body" in html(emulator, f"page/requests/{body}")
    assert "start of the URL" in html(emulator, f"page/requests/{url}")


def test_command_with_a_mask_is_marked(emulator: FlaskClient, state: EmulatorState) -> None:
    masked, other = record(state, query="token=***"), record(state)

    assert "Replace ***" in html(emulator, f"page/requests/{masked}")
    assert "Replace ***" not in html(emulator, f"page/requests/{other}")


def test_unknown_request_is_a_page(emulator: FlaskClient) -> None:
    assert "Request #999999 is not in the journal" in html(emulator, "page/requests/999999", 404)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [3, 2, 1, 0]),
        ("client=REQ", [2, 0]),
        ("operation=v1.get_dags", [1]),
        ("operation=v1.*", [1, 0]),
        ("operation=none", [3]),
        ("verdict=refused", [3]),
        ("client=req&operation=v2.*&verdict=", [2]),
    ],
)
def test_requests_are_filtered(
    emulator: FlaskClient, state: EmulatorState, query: str, expected: list[int]
) -> None:
    known = [
        record(state, client="requests"),
        record(state, client="curl", operation="v1.get_dags", path="/api/v1/dags"),
        record(state, client="Requests", operation="v2.get_dags", path="/api/v2/dags"),
        record(state, client="", operation="", path="/x", status=404),
    ]

    assert numbers(html(emulator, f"?{query}")) == [known[each] for each in expected]
    assert numbers(html(emulator, f"page/rows?after=0&{query}")) == [
        known[each] for each in expected
    ]


def test_filters_stay_selected(emulator: FlaskClient, state: EmulatorState) -> None:
    record(state)
    text = html(emulator, "?client=a%22b&operation=v1.get_xcom_entry&verdict=lenient")

    assert 'value="a&#34;b"' in text
    assert "<option selected>v1.get_xcom_entry</option>" in text
    assert "<option selected>lenient</option>" in text
    assert "No request matches the filter." in text


def test_older_requests_are_on_another_page(
    emulator: FlaskClient, state: EmulatorState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_views, "PAGE", 2)
    a, b, c = (record(state) for _ in "abc")
    first = html(emulator, "?client=python")
    older = urljoin(f"http://localhost{PAGE}", Shown(first).values("a", "href")[-3])

    assert numbers(first) == [c, b]
    second = emulator.get(older).text
    assert numbers(second) == [a]
    assert Shown(second).values("table", "data-rows") == [""]
    assert "Newest" in second


def test_rows_are_those_of_new_requests(emulator: FlaskClient, state: EmulatorState) -> None:
    first, second = record(state), record(state, client="other")
    rows = f"{PAGE}page/rows"

    assert numbers(emulator.get(f"{rows}?after={first}").text) == [second]
    assert emulator.get(f"{rows}?after={second}").status_code == 204
    filtered = emulator.get(f"{rows}?after={first}&client=python")
    assert numbers(filtered.text) == []
    assert Shown(filtered.text).values("tbody", "data-newest") == [str(second)]


def test_rows_are_whole_after_the_journal_was_emptied(
    emulator: FlaskClient, state: EmulatorState
) -> None:
    known = record(state)
    rows = f"{PAGE}page/rows?after={known}"
    state.clear_requests()
    empty = Shown(emulator.get(rows).text)
    new = record(state)

    assert empty.values("tbody", "data-newest") == ["0"]
    assert empty.values("tbody", "data-whole") == [""]
    assert numbers(emulator.get(rows).text) == [new]
    assert emulator.get(f"{PAGE}page/rows?after=0").status_code == 200


def columns(text: str) -> list[str]:
    """Return the texts of the cells of the first entry."""
    row = text.partition("<td")[1] + text.partition("<td")[2].partition("</tr>")[0]
    return [" ".join(Shown(each).text.split()) for each in row.split("<td")[1:]]


@pytest.mark.parametrize("value", [None, 3, "x", "3", [1.5, None], {"a": True, "b": "é"}])
def test_entry_has_the_value_of_each_operation(emulator: FlaskClient, value: Any) -> None:
    v2.create(emulator, "k", value)
    answers = (
        emulator.get(v1.entry("k")),
        emulator.get(v1.entry("k") + "?stringify=false"),
        emulator.get(v2.entry("k")),
    )
    expected = [json.dumps(each.get_json()["value"], ensure_ascii=False) for each in answers]
    text = html(emulator, "page/entries")

    assert [each.partition(">")[2].strip() for each in columns(text)] == expected
    link = next(each for each in Shown(text).values("a", "href") if each.startswith("entry?"))
    for each in expected:
        assert each in Shown(html(emulator, f"page/{link}")).text


def test_entry_links_to_the_api(emulator: FlaskClient) -> None:
    ids = {"dag_id": "a.~", "run_id": "r+:é", "task_id": "t-", "key": "k/../x"}
    key: dict[str, Any] = {**ids, "map_index": 2}
    path = v2.entries(ids["dag_id"], ids["run_id"], ids["task_id"])
    emulator.post(path, json={"key": ids["key"], "map_index": 2, "value": 1})
    shown = Shown(emulator.get(f"{PAGE}page/entry", query_string=key).text)
    links = [each for each in shown.values("a", "href") if "/api/" in each]

    assert len(links) == 3
    for each in links:
        target = urljoin(f"http://localhost{PAGE}page/entry", each)
        assert emulator.get(target).get_json()["value"] in (1, "1")


def test_long_value_is_cut(emulator: FlaskClient) -> None:
    v2.create(emulator, "k", "x" * 1000)
    v2.create(emulator, "l", "y" * (store_views.DECODED_CHARACTERS + 1))
    text = html(emulator, "page/entries")

    assert text.count("x") < 1000
    assert "the start of 1,002 characters" in text
    assert "the start of 65,539 characters" in text
    link = next(each for each in Shown(text).values("a", "href") if each.endswith("key=k"))
    assert "x" * 1000 in html(emulator, f"page/{link}")


def test_entries_and_runs_have_pages(
    emulator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_views, "ENTRIES", 2)
    monkeypatch.setattr(store_views, "RUNS", 1)
    for name in "abc":
        v2.create(emulator, name, 1)
        emulator.post(v2.runs(), json={"dag_run_id": f"run_{name}", "logical_date": None})

    first, second = html(emulator, "page/entries"), html(emulator, "page/entries?offset=2")
    assert ("3 entries, 2 on a page" in first, "Next page" in first) == (True, True)
    assert ("key=c" in second, "Previous page" in second, "Next page" in second) == (
        True,
        True,
        False,
    )
    assert "run_c" in html(emulator, "page/runs")
    assert "run_b" in html(emulator, "page/runs?offset=1")


def test_entries_and_runs_are_filtered(emulator: FlaskClient) -> None:
    v2.create(emulator, "k", 1)

    assert "key=k" in html(emulator, "page/entries?dag_id=etl&run_id=")
    assert "No entry matches the filter." in html(emulator, "page/entries?dag_id=etl&run_id=x")
    assert "No run matches the filter." in html(emulator, "page/runs?dag_id=x")
    assert "/ etl" not in html(emulator, "page/runs?dag_id=etl")


def test_view_of_runs_takes_no_step(emulator: FlaskClient) -> None:
    emulator.post(v2.runs(), json={"dag_run_id": "r", "logical_date": None})

    for _ in range(3):
        assert "queued" in html(emulator, "page/runs")


def test_unknown_entry_is_a_page(emulator: FlaskClient) -> None:
    ids = "dag_id=d&run_id=r&task_id=t&key=k"

    assert "The store has no entry k" in html(emulator, f"page/entry?{ids}", 404)


def test_link_to_an_entry_without_its_ids_is_a_400(emulator: FlaskClient) -> None:
    answer = emulator.get(f"{PAGE}page/entry?dag_id=d&run_id=r&task_id=t")
    assert problem(answer, 400) == "The query parameter 'key' is missing."
