"""The buttons of the emulator's page, and that pages of other sites cannot press them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from xcom_server.api.emulator import injection
from xcom_server.api.emulator.page.forms import PRESETS
from xcom_server.api.emulator.page.status import NOTICES, clock_in_words
from xcom_server.emulator import faults
from xcom_server.storage.emulator import EmulatorState

from tests.support import v2_calls as v2
from tests.support.page import PAGE, Shown, record

UNAVAILABLE = {"preset": "unavailable", "operation": "*"}
CONTROLS = f"{PAGE}page/controls"


@pytest.fixture
def state(emulator: FlaskClient) -> EmulatorState:
    found: EmulatorState = emulator.application.extensions["emulator"]
    return found


def submit(client: FlaskClient, form: str, fields: dict[str, str] | None = None) -> str:
    """Submit a form, and return the text of the view that the browser shows next."""
    path = f"{PAGE}page/{form}"
    answer = client.post(path, data=fields or {})
    assert answer.status_code == 303, answer.text
    target = urljoin(f"http://localhost{path}", answer.headers["Location"])
    assert target.startswith(f"http://localhost{CONTROLS}?done=")
    return client.get(target).text


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server add faults that need gunicorn's worker."""
    monkeypatch.setattr(injection, "connection", lambda: "a connection")


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.usefixtures("worker")
def test_fault_is_added(emulator: FlaskClient, state: EmulatorState, name: str) -> None:
    text = submit(emulator, "faults", {"preset": name, "operation": "v2.*"})

    (fault,) = state.control().faults
    assert fault.definition["effect"].items() >= PRESETS[name].effect.items()
    assert fault.definition["match"]["operation"] == "v2.*"
    assert fault.definition["times"] == PRESETS[name].times
    assert "The fault was added." in text
    assert "1 fault active" in text
    assert PRESETS[name].effect["type"] in Shown(text).text


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"preset": "slow", "operation": "*"}, "latency needs the worker"),
        ({"preset": "missing_total", "operation": "v1.get_version"}, "only for lists"),
        ({"preset": "unavailable", "operation": "<b>"}, "no operation matches '<b>'"),
    ],
)
def test_fault_that_is_not_possible_is_explained(
    emulator: FlaskClient, state: EmulatorState, fields: dict[str, str], problem: str
) -> None:
    answer = emulator.post(f"{PAGE}page/faults", data=fields)

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert problem in Shown(answer.text).text
    assert state.control().faults == ()


def test_one_fault_too_many_is_explained(
    emulator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "MAX_FAULTS", 1)
    submit(emulator, "faults", UNAVAILABLE)
    answer = emulator.post(f"{PAGE}page/faults", data=UNAVAILABLE)

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "There are 1 faults. Remove some of them." in answer.text


def test_time_that_is_not_possible_is_explained(
    emulator: FlaskClient, state: EmulatorState
) -> None:
    state.change_clock(lambda found: {"frozen_at": "9000-12-31T23:59:59+00:00"})
    answer = emulator.post(f"{PAGE}page/clock", data={"action": "advance-60"})

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "The clock must be in the years" in answer.text


def test_faults_are_removed(emulator: FlaskClient, state: EmulatorState) -> None:
    for _ in "abc":
        submit(emulator, "faults", UNAVAILABLE)
    first, *others = state.control().faults

    assert "2 faults active" in submit(emulator, f"faults/{first.number}/remove")
    assert [each.number for each in state.control().faults] == [each.number for each in others]
    assert "No fault is active" in submit(emulator, "faults/remove")
    assert state.control().faults == ()
    assert "The fault was removed." in submit(emulator, f"faults/{first.number}/remove")


def test_clock_is_frozen_advanced_and_reset(emulator: FlaskClient) -> None:
    before = datetime.now(UTC)
    text = submit(emulator, "clock", {"action": "freeze"})
    assert "Clock frozen at " in text
    assert 'value="freeze" disabled' in text

    submit(emulator, "clock", {"action": "advance-3600"})
    submit(emulator, "clock", {"action": "advance-60"})
    text = submit(emulator, "clock", {"action": "advance-86400"})
    found = datetime.fromisoformat(emulator.get("/_emulator/clock").get_json()["now"])
    assert timedelta(days=1, hours=1, minutes=1) <= found - before < timedelta(days=1, hours=2)
    assert "The clock was advanced." in text

    text = submit(emulator, "clock", {"action": "reset"})
    assert "shows the time of the machine" in text
    assert "Clock frozen" not in text


def test_reset_removes_everything(emulator: FlaskClient, state: EmulatorState) -> None:
    v2.create(emulator, "k", 1)
    record(state)
    submit(emulator, "faults", UNAVAILABLE)
    text = submit(emulator, "reset")

    assert "Everything was removed." in text
    assert state.control().faults == ()
    assert state.requests() == []
    assert "The store has no entries." in emulator.get(f"{PAGE}page/entries").text


def test_reset_needs_a_second_step(emulator: FlaskClient) -> None:
    text = emulator.get(CONTROLS).text

    assert text.index("<details>") < text.index('action="../page/reset"') < text.index("</details>")


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("faults", {"preset": "other", "operation": "*"}),
        ("faults", {"preset": "slow"}),
        ("faults", {"preset": "slow", "operation": "*", "more": "x"}),
        ("faults", {"preset": ["slow", "reset"], "operation": "*"}),
        ("faults", {"preset": "slow", "operation": "x" * 201}),
        ("clock", {"action": "advance-1"}),
        ("clock", {}),
        ("reset?x=1", {}),
    ],
)
def test_invalid_form_is_refused(
    emulator: FlaskClient, state: EmulatorState, form: str, fields: dict[str, Any]
) -> None:
    form_type = "application/x-www-form-urlencoded"
    answer = emulator.post(f"{PAGE}page/{form}", data=fields, content_type=form_type)

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert state.control().faults == ()


@pytest.mark.parametrize("form", ["faults", "clock"])
def test_json_is_not_a_form(emulator: FlaskClient, form: str) -> None:
    assert emulator.post(f"{PAGE}page/{form}", json={"action": "freeze"}).status_code == 415


FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
)
FORMS: dict[str, dict[str, str]] = {
    "reset": {},
    "faults": UNAVAILABLE,
    "faults/remove": {},
    "faults/1/remove": {},
    "clock": {"action": "freeze"},
}


def submit_from(client: FlaskClient, form: str, headers: dict[str, str]) -> TestResponse:
    return client.post(f"{PAGE}page/{form}", data=FORMS[form], headers=headers)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_form_of_another_site_is_refused(
    emulator: FlaskClient, state: EmulatorState, form: str, headers: dict[str, str]
) -> None:
    record(state)
    before = state.control()

    assert submit_from(emulator, form, headers).status_code == 403
    assert state.control() == before
    assert len(state.requests()) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {},
    ],
    ids=str,
)
def test_form_of_the_page_is_accepted(
    emulator: FlaskClient, form: str, headers: dict[str, str]
) -> None:
    assert submit_from(emulator, form, headers).status_code == 303


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({}, ""),
        ({"frozen_at": "2026-01-01T00:00:00+00:00"}, "frozen at 2026-01-01 00:00:00"),
        ({"offset_seconds": 90061}, "1 d 1 h ahead"),
        ({"offset_seconds": -60}, "1 min behind"),
        ({"offset_seconds": 0.5}, "less than 1 s ahead"),
    ],
)
def test_clock_is_described(definition: dict[str, Any], words: str) -> None:
    assert clock_in_words(definition) == words


def test_document_has_the_presets_and_notices(emulator: FlaskClient) -> None:
    document = emulator.get("/_emulator/openapi.json").get_json()
    presets = document["components"]["schemas"]["FaultForm"]["properties"]["preset"]["enum"]
    (done,) = document["paths"]["/page/controls"]["get"]["parameters"]

    assert presets == list(PRESETS)
    assert done["schema"]["enum"] == ["", *NOTICES]
