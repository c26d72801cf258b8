"""Names of hosts in headers, in origins and in lists of settings."""

import pytest
from xcom_server.formats import hosts
from xcom_server.formats.hosts import Names, Origin


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("localhost:8080", "localhost"),
        ("localhost:", "localhost"),
        ("LOCALHOST.:80", "localhost"),
        ("a_b.example", "a_b.example"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("[::FFFF:7f00:1]", "::ffff:7f00:1"),
    ],
)
def test_name_of_a_host(host: str, name: str) -> None:
    assert hosts.name_of(host) == name


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        ".localhost",
        "localhost..",
        "a..b",
        ":80",
        "localhost:80:80",
        "localhost:x",
        "localhost:999999",
        "localhost ",
        "localhost\n",
        "localhost,localhost",
        "localhost/",
        "localhost#",
        "user@localhost",
        "http://localhost",
        "::1",
        "[::1",
        "[::1%lo]",
        "[::1%25lo]",
        "[localhost]",
        "loc\xe4lhost",
        "localhost\xa0",
        "%6cocalhost",
    ],
)
def test_malformed_host_has_no_name(host: str) -> None:
    assert hosts.name_of(host) == ""


@pytest.mark.parametrize(
    "name",
    ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "0:0::1", "::ffff:127.0.0.1"],
)
def test_loopback_name(name: str) -> None:
    assert hosts.is_loopback(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost.example",
        "alocalhost",
        "127.0.0.1.example",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "127.1",
    ],
)
def test_name_that_is_not_loopback(name: str) -> None:
    assert not hosts.is_loopback(name)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://localhost:8080", Origin("http", "localhost", "8080")),
        ("HTTPS://A.example", Origin("https", "a.example", "443")),
        ("http://a.example", Origin("http", "a.example", "80")),
        ("http://[::1]:8080", Origin("http", "::1", "8080")),
        ("chrome-extension://abc", Origin("chrome-extension", "abc", "")),
        ("null", None),
        ("", None),
        ("localhost:8080", None),
        ("http://", None),
        ("http://a.example/", None),
        ("http://user@a.example", None),
        ("http://a.example, http://localhost", None),
        ("http://a.example http://localhost", None),
    ],
)
def test_origin_is_parsed(text: str, origin: Origin | None) -> None:
    assert hosts.parse_origin(text) == origin


@pytest.mark.parametrize(
    ("origin", "host", "has"),
    [
        ("http://localhost:8080", "localhost:8080", True),
        ("http://LOCALHOST.:8080", "localhost:8080", True),
        ("http://localhost", "localhost:80", True),
        ("https://a.example", "a.example", True),
        ("https://a.example", "a.example:443", True),
        ("https://a.example", "a.example:80", False),
        ("http://localhost:3000", "localhost:8080", False),
        ("http://localhost", "localhost:8080", False),
        ("http://127.0.0.1:8080", "localhost:8080", False),
        ("http://a.example", "", False),
        ("null", "null", False),
        ("", "", False),
    ],
)
def test_origin_has_a_host(origin: str, host: str, has: bool) -> None:
    assert hosts.has_host(origin, host) is has


def test_names_are_exact_below_a_name_addresses_and_networks() -> None:
    names = Names(["a.example", "*.b.example", "10.0.0.0/8", "[fd00::1]", "192.0.2.1"])

    for name in ("a.example", "x.b.example", "x.y.b.example", "10.1.2.3", "fd00::1", "192.0.2.1"):
        assert name in names, name
    for name in ("x.a.example", "b.example", "xb.example", "11.0.0.1", "fd00::2", "192.0.2.2", ""):
        assert name not in names, name


@pytest.mark.parametrize(
    "text", ["", " , ", "a.example", "A.example, *.b.example", "*", "10.0.0.0/8,::1,[::1]", "a_b"]
)
def test_list_of_names(text: str) -> None:
    assert hosts.are_names(text)


@pytest.mark.parametrize(
    "text",
    ["a.example:80", "http://a", "*.", "**", "a.*", "10.0.0.1/8", ".a", "a.", "a b", "é.example"],
)
def test_text_that_is_not_a_list_of_names(text: str) -> None:
    assert not hosts.are_names(text)


def test_lists_of_origins() -> None:
    for text in ("", "*", "https://a.example", "http://a.example:3000, app://obsidian.md"):
        assert hosts.are_origins(text), text
    for text in ("null", "a.example", "https://a.example/", "https://*.example", "https://"):
        assert not hosts.are_origins(text), text
