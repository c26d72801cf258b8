"""The emulator's page in Chromium: views, buttons, keyboard, accessibility, hostile values.

The tests share one server, whose control plane has a token, and one browser.
"""

import base64
import json
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, HttpCredentials, Page, expect
from xcom_server.factory import limits
from xcom_server.settings import Settings
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.opening import open_emulator_state

from tests.support.browser import AXE, Watch, chromium, require_chromium, violations
from tests.support.hostile import HOSTILE
from tests.support.live_server import LiveServer
from tests.support.page import INSTANCE, RUN, record
from tests.support.page_data import VALUES, record_requests
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

TOKEN = "token-of-the-page"
NAME = "airflow.test"  # a name that the browser resolves to the server
CREDENTIALS: HttpCredentials = {"username": "any", "password": TOKEN}
VIEWS = ("requests", "request", "entries", "entry", "runs", "controls", "missing")
SCREENSHOTS = {"light": ("requests", "request", "entries"), "dark": ("requests", "controls")}
SIZES = ((1200, 720), (360, 640))
SECONDS = 30_000  # in milliseconds, that Playwright waits for a condition

Open = Callable[..., Page]


def call(server: LiveServer, path: str, body: Any = None, method: str | None = None) -> bytes:
    """Send a request with the token, and return the body of the response."""
    data = None if body is None else json.dumps(body).encode()
    credentials = base64.b64encode(f"any:{TOKEN}".encode()).decode()
    headers = {"Content-Type": "application/json", "User-Agent": "live-client/1"}
    if path.startswith("/_emulator"):
        headers["Authorization"] = f"Basic {credentials}"
    request = Request(server.url + path, data, headers, method=method)
    with urlopen(request, timeout=60) as response:
        return bytes(response.read())


def fill(server: LiveServer, state: EmulatorState) -> dict[str, str]:
    """Store the data of the screenshots, and return the paths of the views."""
    call(server, "/_emulator/reset", method="POST")
    call(server, "/_emulator/clock", {"freeze": "2026-01-01T09:30:00Z"}, "PUT")
    for key, value in VALUES.items():
        call(server, f"/api/v2/{INSTANCE}/xcomEntries", {"key": key, "value": value})
    call(server, "/api/v2/dags/etl/dagRuns", {"dag_run_id": "manual_2", "logical_date": None})
    state.clear_requests()
    numbers = record_requests(state)
    match, effect = {"operation": "v2.get_dag_run"}, {"type": "status", "status": 503}
    fault = {"match": match, "times": 3, "effect": effect}
    call(server, "/_emulator/faults", fault)
    ids = f"dag_id=etl&run_id={RUN.replace('+', '%2B')}&task_id=extract"
    return {
        "requests": "",
        "request": f"page/requests/{numbers[2]}",
        "entries": "page/entries",
        "entry": f"page/entry?{ids}&key=return_value",
        "runs": "page/runs",
        "controls": "page/controls",
        "missing": "page/requests/999999",
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    require_chromium()
    with LiveServer(
        tmp_path_factory.mktemp("page"),
        workers=1,
        XCOM_EMULATOR="true",
        XCOM_EMULATOR_TOKEN=TOKEN,
        XCOM_ALLOWED_HOSTS=NAME,
    ) as live:
        yield live


@pytest.fixture(scope="module")
def browser(server: LiveServer) -> Iterator[Browser]:
    with chromium(f"--host-resolver-rules=MAP {NAME}:80 127.0.0.1:{server.port}") as found:
        yield found


@pytest.fixture(scope="module")
def state(server: LiveServer) -> Iterator[EmulatorState]:
    """Yield the server's journal and faults, so that a test can add any request."""
    found = open_emulator_state(server.database_url, limits(Settings()))
    yield found
    found.close()


@pytest.fixture(scope="module")
def views(server: LiveServer, state: EmulatorState) -> dict[str, str]:
    return fill(server, state)


@pytest.fixture
def open_page(browser: Browser, server: LiveServer) -> Iterator[Open]:
    """Yield a function that opens a view in a new context.

    No context may report an error, except those that contain `expected`.
    """
    watches = []

    def opened(path: str = "", *, host: str = "", expected: str = "", **options: Any) -> Page:
        context = browser.new_context(http_credentials=CREDENTIALS, **options)
        context.set_default_timeout(SECONDS)
        url = f"http://{host}" if host else server.url
        watches.append((context, Watch(context, f"{url}/"), expected))
        page = context.new_page()
        page.clock.install()
        page.goto(f"{url}/_emulator/{path}")
        return page

    yield opened
    for context, watch, expected in watches:
        context.close()
        assert [each for each in watch.errors if not expected or expected not in each] == []


@pytest.fixture(scope="module")
def axe() -> str:
    path = ROOT / AXE
    if not path.exists():
        pytest.skip("axe-core is not installed: run `make .venvs/axe/done`")
    return path.read_text(encoding="utf-8")


def view_url(page: Page, path: str) -> str:
    return f"{page.url.partition('_emulator/')[0]}_emulator/{path}"


def too_wide(page: Page) -> list[str]:
    """Return the elements of a page that are wider than the window."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
            .filter((each) => each.getBoundingClientRect().right > innerWidth + 1
                && !each.closest(".sr, thead, datalist, option"))
            .map((each) => each.outerHTML.slice(0, 200))"""
    )
    width, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found + ([f"the page: {width} > {window}"] if width > window else [])


@pytest.mark.parametrize("view", VIEWS)
def test_view_has_no_violation_of_axe(
    open_page: Open, views: dict[str, str], axe: str, view: str
) -> None:
    page = open_page(views[view], expected="404" if view == "missing" else "")
    found = violations(page, axe)
    page.emulate_media(color_scheme="dark")
    found += violations(page, axe, only="color-contrast")

    assert found == []
    assert page.title().endswith("xcom-server emulator")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshot(open_page: Open, views: dict[str, str], scheme: str, tmp_path: Path) -> None:
    """Take the screenshots of docs/; `make screenshots` stores them."""
    page = open_page(host=NAME, color_scheme=scheme, viewport={"width": 1100, "height": 480})
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for view in SCREENSHOTS[scheme]:
        page.goto(view_url(page, views[view]))
        path = folder / f"emulator-{view}-{scheme}.png"
        page.screenshot(path=path, full_page=True)
        documented = ROOT / "docs" / "assets" / path.name

        assert size_of(path) == size_of(documented)


def size_of(image: Path) -> tuple[int, int]:
    """Return the width and the height of a PNG."""
    width, height = struct.unpack(">II", image.read_bytes()[16:24])
    return width, height


def test_views_fit_into_a_narrow_window(open_page: Open, views: dict[str, str]) -> None:
    page = open_page(viewport={"width": 320, "height": 640}, expected="404")
    for path in views.values():
        page.goto(view_url(page, path))

        assert too_wide(page) == [], path


INTERACTIVE = "a[href], button:enabled, input, select, summary, pre[tabindex]"


@pytest.mark.parametrize("view", ["request", "controls"])
def test_everything_is_reached_with_the_keyboard(
    open_page: Open, views: dict[str, str], view: str
) -> None:
    page = open_page(views[view])
    visible = [each for each in page.locator(INTERACTIVE).all() if each.is_visible()]
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.evaluate(
        """window.reached = []; addEventListener("focusin", (event) => reached.push(
            [event.target.outerHTML, getComputedStyle(event.target).outlineStyle]))"""
    )

    for _ in visible[1:]:
        page.keyboard.press("Tab")
    expected = [[each.evaluate("each => each.outerHTML"), "solid"] for each in visible[1:]]
    assert page.evaluate("reached") == expected
    skip.focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_page_needs_the_token(browser: Browser, server: LiveServer) -> None:
    context = browser.new_context()
    answer = context.request.get(f"{server.url}/_emulator/page/assets/page.js")

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    context.close()


def test_new_requests_appear(open_page: Open, server: LiveServer, views: dict[str, str]) -> None:
    page = open_page()
    page.locator("tbody a").first.focus()
    focused = page.evaluate("document.activeElement.textContent")
    call(server, "/api/v1/version")
    call(server, "/api/v1/health")
    page.clock.run_for(2000)

    rows = page.locator("tbody tr")
    expect(rows.nth(0)).to_contain_text("/api/v1/health")
    expect(rows.nth(1)).to_contain_text("live-client/1")
    assert rows.count() == 8
    assert page.evaluate("document.activeElement.textContent") == focused
    expect(page.locator("#news")).to_have_text("2 new requests")
    assert page.locator("#news").get_attribute("role") == "status"


def test_list_is_paused(open_page: Open, server: LiveServer, views: dict[str, str]) -> None:
    page = open_page("?client=live")
    before = page.locator("tbody tr").count()
    page.get_by_role("button", name="Pause").click()
    call(server, "/api/v1/version")
    page.clock.run_for(10_000)
    expect(page.locator("#state")).to_have_text("Paused")
    assert page.locator("tbody tr").count() == before

    page.get_by_role("button", name="Pause", pressed=True).click()
    page.clock.run_for(2000)
    expect(page.locator("tbody tr")).to_have_count(before + 1)
    expect(page.locator("#state")).to_have_text("Live")


def test_emptied_journal_empties_the_list(
    open_page: Open, server: LiveServer, state: EmulatorState, views: dict[str, str]
) -> None:
    page = open_page("?client=live")
    call(server, "/_emulator/requests", method="DELETE")
    page.clock.run_for(2000)
    expect(page.get_by_text("No request matches the filter.")).to_be_visible()

    record(state, client="live again")
    page.clock.run_for(2000)
    expect(page.locator("tbody tr")).to_have_count(1)


def test_outage_is_shown(open_page: Open, views: dict[str, str]) -> None:
    page = open_page(expected="503")
    page.route("**/rows*", lambda route: route.fulfill(status=503))
    page.clock.run_for(2000)
    expect(page.locator("#state")).to_have_text("The server does not respond")

    page.unroute("**/rows*")
    page.clock.run_for(10_000)
    expect(page.locator("#state")).to_have_text("Live")


def test_command_repeats_the_request(
    open_page: Open, server: LiveServer, state: EmulatorState, views: dict[str, str]
) -> None:
    value = {"key": "it's", "value": "\x1b[31m \u202e 'é'\n"}
    call(server, f"/api/v2/{INSTANCE}/xcomEntries?x=%5B1%5D", value)
    number, sent = state.requests()[-1]
    page = open_page(f"page/requests/{number}", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")

    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=60)
    repeated = state.requests()[-1][1]
    ignored = {"at", "milliseconds", "headers", "status", "response"}
    assert (sent["status"], repeated["status"]) == (201, 409)
    assert {name: sent[name] for name in sent.keys() - ignored} == {
        name: repeated[name] for name in repeated.keys() - ignored
    }
    unsent = {"Accept-Encoding", "Connection"}
    assert repeated["headers"].items() >= {
        (name, text) for name, text in sent["headers"].items() if name not in unsent
    }


def test_buttons_work_on_a_name_that_is_not_loopback(
    open_page: Open, state: EmulatorState, views: dict[str, str]
) -> None:
    """On a name without TLS, browsers send Origin and not Sec-Fetch-Site."""
    state.remove_faults()
    page = open_page("page/controls", host=NAME)
    page.get_by_label("For the requests to").select_option("v1.get_dags")
    page.get_by_role("button", name="503 three times").click()

    expect(page.get_by_role("status")).to_have_text("The fault was added.")
    expect(page.get_by_role("row", name="operation=v1.get_dags")).to_contain_text("0 of 3 times")
    page.get_by_role("button", name="Remove fault").click()
    expect(page.get_by_role("status")).to_have_text("The fault was removed.")
    assert state.control().faults == ()


def test_page_of_another_site_cannot_press_a_button(
    browser: Browser, server: LiveServer, state: EmulatorState
) -> None:
    state.remove_faults()
    context = browser.new_context(http_credentials=CREDENTIALS)
    form = (
        f"<form method=post action={server.url}/_emulator/page/faults>"
        "<input name=preset value=slow><input name=operation value=*><button>Win</button></form>"
    )
    page = context.new_page()
    page.route(
        "http://evil.test/", lambda route: route.fulfill(body=form, content_type="text/html")
    )
    page.goto("http://evil.test/")
    with page.expect_response("**/page/faults") as answer:
        page.get_by_role("button").click()

    assert answer.value.status == 403
    assert state.control().faults == ()
    context.close()


def test_hostile_values_are_text(
    open_page: Open, server: LiveServer, state: EmulatorState, views: dict[str, str]
) -> None:
    texts = [value[:4000] for value in HOSTILE.values() if isinstance(value, str)]
    state.clear_requests()
    for text in texts:
        headers = {text[:200]: text[:200]}
        number = record(
            state, client=text, path=text, query=text, headers=headers, body=text, response=text
        )
    for name, value in HOSTILE.items():
        if name != "lone surrogates":
            call(server, f"/api/v2/{INSTANCE}/xcomEntries", {"key": name, "value": value})
    page = open_page()
    paths = ["", "page/entries", "page/entries?offset=25", "page/runs"]
    paths += [f"page/requests/{each}" for each in range(number - len(texts) + 1, number + 1, 3)]
    paths += [views["entry"].replace("return_value", name) for name in ("megabyte", "deep", "wide")]
    for path in paths:
        page.goto(view_url(page, path))
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert too_wide(page) == [], path
        assert page.title().endswith("xcom-server emulator")
        inside = "main :is(script, style, iframe, img, svg, math, base, meta, textarea, h1 h1)"
        assert page.locator(inside).count() == 0, path
        assert page.locator("main form form, main [style], main [onclick]").count() == 0


def test_page_works_without_its_script(
    open_page: Open, server: LiveServer, state: EmulatorState, views: dict[str, str]
) -> None:
    record(state, client="other/1")
    page = open_page(java_script_enabled=False)
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    page.get_by_role("link", name="Reload").click()
    page.get_by_label("Client").fill("OTHER")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(1)

    page.get_by_role("link", name="Faults and clock").click()
    page.get_by_role("button", name="Advance 1 hour").click()
    expect(page.get_by_role("status")).to_have_text("The clock was advanced.")
    page.get_by_role("button", name="Use the time of the machine").click()
    expect(page.get_by_text("shows the time of the machine")).to_be_visible()
    expect(page.get_by_role("button", name="Remove everything")).to_be_hidden()
    page.get_by_text("Reset…").click()
    page.get_by_role("button", name="Remove everything").click()
    expect(page.get_by_role("status")).to_have_text("Everything was removed.")
    page.get_by_role("link", name="Entries").click()
    expect(page.get_by_text("The store has no entries.")).to_be_visible()
