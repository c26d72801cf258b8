"""Texts on the page, and commands with curl, contain no character that is invisible."""

import subprocess

import pytest
from xcom_server.api.emulator.page import curl, text

from tests.support.hostile import HOSTILE

ACCEPT = ("--header", "Accept;", "--header", "User-Agent: x")
TEXTS = {name: value for name, value in HOSTILE.items() if isinstance(value, str)}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a b", "a b"),
        ("é漢🙂", "é漢🙂"),
        ("a\u202eb", r"a\u202eb"),
        ("\x00\x1b\n\t", r"\u0000\u001b\u000a\u0009"),
        ("a\xa0b\u3164c", r"a\u00a0b\u3164c"),
        ("\ud800\ue000", r"\ud800\ue000"),
        ("\U000e0041", r"\u{e0041}"),
        ("e\u0301\u0301\u0301\u0301e\u0301", "e\u0301\u0301\u0301\\u0301e\u0301"),
    ],
)
def test_hidden_characters_are_escapes(given: str, shown: str) -> None:
    assert text.visible(given) == shown


def test_escapes_are_elements_and_html_is_escaped() -> None:
    shown = text.marked("<b>\u202e&\n", lines=True)

    assert shown == r"&lt;b&gt;<span class=esc>\u202e</span>&amp;" + "\n"


def test_path_can_be_broken_at_slashes() -> None:
    assert text.path("/a/<\u202e>") == r"/<wbr>a/<wbr>&lt;<span class=esc>\u202e</span>&gt;"


@pytest.mark.parametrize(
    ("given", "limit", "start"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcde"),
        ("a\u202eb", 7, "a\u202e"),
        ("a\u202eb", 6, "a"),
        ("\u202e" * 10, 30, "\u202e" * 5),
    ],
)
def test_start_counts_escapes(given: str, limit: int, start: str) -> None:
    assert text.start(given, limit) == start
    assert len(text.visible(start)) <= limit


def arguments(command: str) -> list[bytes]:
    """Return the arguments that bash passes to curl."""
    script = 'curl() { printf "%s\\0" "$@"; }; AIRFLOW_USER=u:p; TOKEN=t;\n' + command
    shell = subprocess.run(["bash", "-c", script.encode()], capture_output=True, timeout=60)
    assert (shell.returncode, shell.stderr) == (0, b"")
    return shell.stdout.split(b"\0")[:-1]


@pytest.mark.parametrize("name", [each for each in TEXTS if each != "megabyte"])
def test_command_has_the_body_and_header_unchanged(name: str) -> None:
    value = TEXTS[name]
    headers = dict.fromkeys(("User-Agent", "Accept", "Content-Type", "X-A"), value)
    command = curl.command("http://h", "PUT", "/a?b=[1]", headers, "", value)

    expected = value.encode(errors="surrogatepass")
    found = arguments(command)
    assert found[-3:] == [b"X-A: " + expected, b"--data-raw", expected]
    assert text.visible(command.replace("\\\n", "")) == command.replace("\\\n", "")


@pytest.mark.parametrize(
    ("method", "body", "options"),
    [
        ("GET", "", []),
        ("HEAD", "", ["--head"]),
        ("DELETE", "", ["--request", "DELETE"]),
        ("GET", "{}", ["--request", "GET"]),
    ],
)
def test_command_has_the_method(method: str, body: str, options: list[str]) -> None:
    headers = {"accept": "*/*", "user-agent": "x", "content-type": "text/plain"}
    command = curl.command("http://h", method, "/", headers, "", body)

    expected = ["--globoff", "--path-as-is", *options, "http://h/"]
    expected += [part for each in headers.items() for part in ("--header", ": ".join(each))]
    expected += ["--data-raw", body] if body else []
    assert [each.decode() for each in arguments(command)] == expected


def test_command_removes_headers_that_curl_adds() -> None:
    found = [each.decode() for each in arguments(curl.command("h", "POST", "/", {}, "", "x"))]

    assert found[-8:-2] == [
        *("--header", "User-Agent:"),
        *("--header", "Accept:"),
        *("--header", "Content-Type:"),
    ]


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [("basic", ["--user", "u:p"]), ("bearer", ["--oauth2-bearer", "t"]), ("other", [])],
)
def test_command_has_variables_for_credentials(scheme: str, expected: list[str]) -> None:
    headers = {"Authorization": "Basic ***", "Host": "h", "Content-Length": "9", "Accept": ""}
    headers["User-Agent"] = "x"
    command = curl.command("http://h", "GET", "/", headers, scheme, "")

    found = [each.decode() for each in arguments(command)]
    assert found == ["--globoff", "--path-as-is", "http://h/", *expected, *ACCEPT]
