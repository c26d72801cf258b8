"""The configurations in docs/proxies.md pass every key, and the headers of clients do not count."""

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

import pytest

from tests.support.live_server import LiveServer
from tests.support.reverse_proxies import CLIENT, COMMANDS, MODES, PAGE, recipe, running
from tests.support.waiting import SECONDS, until

pytestmark = pytest.mark.slow

ENTRIES = {
    version: f"/api/{version}/dags/etl/dagRuns/manual__1/taskInstances/extract/xcomEntries"
    for version in ("v1", "v2")
}
KEYS = [
    "plain",
    "a/b",
    "a//b",
    "/lead",
    "//lead",
    "end/",
    "100%",
    "%2F",
    "a%2Fb%20c",
    "with space",
    "a+b&c=d;e",
    "what?#",
    "ключ/日本語",
    "café ☕",
]


class Browser:
    """A client of a proxy; it sends paths as they are, from an address of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Return the status and the body of the response; the body is sent as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body)
        if data:
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=SECONDS, source_address=(CLIENT, 0)
        )
        with closing(connection):
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")


class Proxied(NamedTuple):
    """A client of a proxy, the prefix of its URLs, and the server behind it."""

    browser: Browser
    prefix: str
    server: LiveServer
    proxy: str
    mode: str


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LiveServer]]:
    """Yield the server for each mode."""
    settings: dict[str, Any] = {
        "XCOM_TRUSTED_PROXIES": "127.0.0.1",
        "XCOM_LOG_REQUESTS": "true",
        "XCOM_LOG_FORMAT": "json",
    }
    with ExitStack() as stack:
        plain, based = (
            stack.enter_context(
                LiveServer(
                    tmp_path_factory.mktemp("server"), workers=1, XCOM_BASE_PATH=base, **settings
                )
            )
            for base in ("", "/airflow")
        )
        yield {"own host": plain, "base path": based, "prefix removed": plain}


@pytest.fixture(
    scope="module",
    params=[(proxy, mode) for proxy in COMMANDS for mode in MODES],
    ids=lambda param: "-".join(param),
)
def proxied(
    request: pytest.FixtureRequest,
    servers: dict[str, LiveServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxied]:
    """Yield each proxy in each mode."""
    proxy, mode = request.param
    with serving(proxy, recipe(proxy, mode), tmp_path_factory, servers[mode]) as browser:
        prefix = "" if mode == "own host" else "/airflow"
        yield Proxied(browser, prefix, servers[mode], proxy, mode)


@contextmanager
def serving(
    proxy: str, text: str, folders: pytest.TempPathFactory, server: LiveServer
) -> Iterator[Browser]:
    """Run a proxy with this configuration, and yield a client of it."""
    with running(proxy, text, folders.mktemp("proxy"), server.port) as port:
        yield Browser(port)


def failures(
    browser: Browser, prefix: str, version: str, key: str, dag_id: str = "etl"
) -> list[str]:
    """Create, list, read, change and delete an entry with a key, and return what went wrong."""
    entries = prefix + ENTRIES[version].replace("etl", dag_id)
    paths = {f"{entries}/{quote(key, safe=safe)}" for safe in ("", "/")}
    created = browser("POST", entries, {"key": key, "value": "1"})
    listed = browser("GET", f"{entries}?limit=100")
    found = [f"POST {created}"] if created[0] >= 300 else []
    if key not in [each["key"] for each in json.loads(listed[1])["xcom_entries"]]:
        found.append(f"list {listed}")
    for path in paths:
        body = {"value": path} if version == "v2" else {"key": key, "value": path}
        changed = browser("PATCH", path, body)
        read = browser("GET", path)
        if read[0] != 200 or json.loads(read[1])["value"] != path:
            found.append(f"{path} {changed} {read}")
    deleted = browser("DELETE", paths.pop())
    return found + ([f"DELETE {deleted}"] if deleted[0] != 204 else [])


@pytest.mark.parametrize("version", ENTRIES)
def test_every_key_passes(proxied: Proxied, version: str) -> None:
    browser, prefix, *_ = proxied

    assert [each for key in KEYS for each in failures(browser, prefix, version, key)] == []


def test_only_keys_that_lead_out_of_the_prefix_may_be_lost(proxied: Proxied) -> None:
    """nginx, Caddy and Apache resolve `..` when they choose a location."""
    browser, prefix, _, proxy, mode = proxied
    read = browser("GET", f"{prefix}{ENTRIES['v2']}/{12 * '../'}x")

    if proxy == "HAProxy" or (proxy, mode) == ("Caddy", "own host"):
        assert read[0] == 404
        assert read[1].endswith('../x` not found"}')
    else:
        assert read[0] in (400, 404) or read == (200, "")
        assert "not found`" not in read[1]


@pytest.mark.parametrize(
    ("proxy", "mode", "written", "instead", "key"),
    [
        ("nginx", "own host", "proxy_pass http://xcom;", "proxy_pass http://xcom/;", "a//b"),
        ("Caddy", "prefix removed", "handle /airflow/* {", "handle_path /airflow/* {", "a//b"),
        ("Apache", "own host", "AllowEncodedSlashes NoDecode", "", "a/b"),
        ("Apache", "own host", " nocanon ttl=60", "", "a%2Fb"),
    ],
)
def test_other_options_change_keys(
    servers: dict[str, LiveServer],
    tmp_path_factory: pytest.TempPathFactory,
    proxy: str,
    mode: str,
    written: str,
    instead: str,
    key: str,
) -> None:
    text = recipe(proxy, mode)
    assert written in text
    changed = text.replace(written, instead).replace("uri path_regexp ^/airflow/ /\n", "\n")
    with serving(proxy, changed, tmp_path_factory, servers[mode]) as browser:
        prefix = "" if mode == "own host" else "/airflow"
        assert failures(browser, prefix, "v2", key, dag_id=f"{proxy}-{len(written)}") != []


INNER = {
    "nginx": "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "HAProxy": "http-request add-header X-Forwarded-For %[src]",
    "Caddy": "trusted_proxies 127.0.0.1",
    "Apache": "",
}
"""The line of the section "Several proxies"; in Caddy it replaces that for X-Forwarded-Prefix."""


@pytest.mark.parametrize("proxy", INNER)
def test_several_proxies_pass_the_address_and_the_prefix_on(
    servers: dict[str, LiveServer], tmp_path_factory: pytest.TempPathFactory, proxy: str
) -> None:
    text, server = recipe(proxy, "own host"), servers["own host"]
    replaced = "-X-Forwarded-Prefix" if proxy == "Caddy" else "X-Forwarded-For"
    lines = [INNER[proxy] if replaced in line else line for line in text.splitlines()]
    inner = "\n".join(line for line in lines if not re.search("X-Forwarded-[HP]", line))
    outer = recipe("nginx", "prefix removed")
    assert INNER[proxy] in PAGE
    start = server.log.stat().st_size

    with (
        running(proxy, inner, tmp_path_factory.mktemp("inner"), server.port) as inner_port,
        running("nginx", outer, tmp_path_factory.mktemp("outer"), inner_port) as port,
    ):
        path = "/airflow/api/v1/openapi.json"
        _, document = Browser(port)("GET", path, X_Forwarded_For="6.6.6.6")

    assert json.loads(document)["servers"][0]["url"] == "/airflow/api/v1"
    assert clients_in_log(server, start) == [CLIENT]


def test_documents_and_pages_have_the_prefix(proxied: Proxied) -> None:
    browser, prefix, *_ = proxied

    for version, base in (("v1", f"{prefix}/api/v1"), ("v2", prefix or "/")):
        document = json.loads(browser("GET", f"{prefix}/api/{version}/openapi.json")[1])
        page = f"{prefix}/api/{version}/ui/"
        files = re.findall(r'(?:src|href)="([^"]+)"', browser("GET", page)[1])
        assert [each["url"] for each in document["servers"]] == [base]
        assert {browser("GET", urljoin(page, file))[0] for file in files} == {200}
    token_url = document["components"]["securitySchemes"]["OAuth2PasswordBearer"]["flows"]
    assert token_url["password"]["tokenUrl"] == f"{prefix}/auth/token"
    start = browser("GET", f"{prefix}/", Accept="text/html")[1]
    for link in re.findall(r'href="([^h"][^"]*)"', start):
        assert browser("GET", link if prefix else f"/{link}")[0] == 200, link


def test_headers_of_the_client_do_not_count(proxied: Proxied) -> None:
    browser, prefix, server, *_ = proxied
    spoofed = {
        "X_Forwarded_For": "6.6.6.6",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Prefix": "/evil",
        "SCRIPT_NAME": "/evil",
    }
    start = server.log.stat().st_size

    document = json.loads(browser("GET", f"{prefix}/api/v1/openapi.json", **spoofed)[1])

    assert [each["url"] for each in document["servers"]] == [f"{prefix}/api/v1"]
    assert clients_in_log(server, start) == [CLIENT]


def clients_in_log(server: LiveServer, start: int) -> list[str]:
    """Return the clients of requests to v1 that the server logged from a byte of its log on."""
    until(lambda: b"/api/v1/" in server.log.read_bytes()[start:])
    lines = map(json.loads, server.log.read_bytes()[start:].splitlines())
    return [line["client"] for line in lines if "/api/v1/" in line.get("path", "")]
