"""Hostile values are text in every view of the emulator's page."""

import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from xcom_server.api.emulator.page import rendering
from xcom_server.api.emulator.page.text import start, visible
from xcom_server.storage.emulator import EmulatorState

from tests.support import v2_calls as v2
from tests.support.hostile import HOSTILE
from tests.support.page import PAGE, Shown, hidden, record

TEXTS = {name: value for name, value in HOSTILE.items() if isinstance(value, str)}
REFUSED = "lone surrogates"  # by the API, in values and ids
CUT = 250  # characters that every view shows


@pytest.fixture
def state(emulator: FlaskClient) -> EmulatorState:
    found: EmulatorState = emulator.application.extensions["emulator"]
    return found


def assert_same_elements(text: str, plain: str) -> None:
    """Assert that a page has the elements and attributes of one with a harmless value.

    Breaks of long paths, escapes and notes on cut values are the only elements that may be more.
    """
    added = {"wbr", "span"}
    found, expected = Shown(text), Shown(plain)
    assert [each for each in found.elements if each not in added] == [
        each for each in expected.elements if each not in added
    ]
    assert {each[:2] for each in found.attributes} <= {each[:2] for each in expected.attributes} | {
        ("span", "class")
    }
    for tag, name, value in found.attributes:
        assert name != "style"
        assert not name.startswith("on")
        if name in ("href", "src", "action"):
            assert not value.lower().lstrip().startswith(("javascript:", "data:", "//")), tag


def shown_start(value: str) -> str:
    return visible(start(value, CUT)).strip()


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("name", TEXTS)
def test_request_is_text(emulator: FlaskClient, state: EmulatorState, name: str) -> None:
    value = TEXTS[name][:4000]
    pages = []
    for each in ("harmless", value):
        fields = dict.fromkeys(
            ("client", "method", "path", "query", "operation", "authorization", "body", "response"),
            each,
        )
        state.clear_requests()
        number = record(
            state, **fields, content_type=each, fault=each, headers={each: each, "A": each}
        )
        paths = ("", f"page/requests/{number}", "page/rows?after=0")
        pages.append([emulator.get(f"{PAGE}{path}").text for path in paths])

    for plain, text in zip(*pages, strict=True):
        assert hidden(text) == set()
        assert_same_elements(text, plain)
        assert squeezed(shown_start(value)[:100]) in squeezed(Shown(text).text)


@pytest.mark.parametrize("name", [each for each in TEXTS if len(TEXTS[each]) < 500])
def test_filter_is_text(emulator: FlaskClient, name: str) -> None:
    value = TEXTS[name].encode(errors="replace").decode()
    for path, parameters in (
        ("", ("client",)),
        ("page/entries", ("dag_id", "run_id")),
        ("page/runs", ("dag_id",)),
    ):
        plain = emulator.get(f"{PAGE}{path}", query_string=dict.fromkeys(parameters, "harmless"))
        found = emulator.get(f"{PAGE}{path}", query_string=dict.fromkeys(parameters, value[:200]))

        assert found.status_code == 200
        assert hidden(found.text) == set()
        assert_same_elements(found.text, plain.text)


@pytest.mark.parametrize("name", [each for each in HOSTILE if each != REFUSED])
def test_value_is_text(emulator: FlaskClient, name: str) -> None:
    value = HOSTILE[name]
    views = ("page/entries", "page/entry?dag_id=etl&run_id=run_1&task_id=extract&key=k")
    pages: list[list[str]] = []
    for each in ("harmless", value):
        body = json.dumps({"key": "k", "value": each})
        path = v2.entries(dag_run_id="run_1")
        emulator.delete(v2.entry("k", dag_run_id="run_1"))
        answer = emulator.post(path, data=body, content_type="application/json")
        assert answer.status_code == 201, answer.text
        pages.append([emulator.get(f"{PAGE}{view}").text for view in views])

    expected = squeezed(visible(start(json.dumps(value, ensure_ascii=False), CUT)))
    for plain, text in zip(*pages, strict=True):
        assert hidden(text) == set()
        assert_same_elements(text, plain)
        assert expected in squeezed(Shown(text).text)


@pytest.mark.parametrize("name", [each for each in TEXTS if len(TEXTS[each]) < 200])
def test_ids_are_text(emulator: FlaskClient, name: str, count_case: Callable[..., None]) -> None:
    value = TEXTS[name].encode(errors="replace").decode()
    ids = {"dag_id": value, "run_id": value, "task_id": value, "key": value}
    path = v2.entries(value, value, value)
    if emulator.post(path, json={"key": value, "value": 1}).status_code != 201:
        return  # the API refuses these ids
    for view in ("page/entries", "page/runs", "page/entry"):
        query = ids if view == "page/entry" else {}
        answer = emulator.get(f"{PAGE}{view}", query_string=query)

        assert answer.status_code == 200
        assert hidden(answer.text) == set()
        assert squeezed(visible(value)[:60]) in squeezed(Shown(answer.text).text)
    count_case("ids that the page shows as text")


def test_no_template_marks_a_value_as_safe() -> None:
    templates = list((rendering.FOLDER / "templates").glob("*.html"))

    assert len(templates) == 10
    for path in templates:
        text = path.read_text(encoding="utf-8")
        for word in ("|safe", "| safe", "autoescape", "Markup", "<style", " style=", " onclick="):
            assert word not in text, path.name


@pytest.mark.parametrize("value", ["<\u202e>", "\ud800"])
def test_value_without_a_filter_is_text(value: str) -> None:
    template = rendering.environment().from_string("<p title='{{ value }}'>{{ value }}</p>")
    expected = visible(value).replace("<", "&lt;").replace(">", "&gt;")

    assert template.render(value=value) == f"<p title='{expected}'>{expected}</p>"
