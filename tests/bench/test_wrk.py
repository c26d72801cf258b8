"""Scripts for wrk hold every request byte by byte, and its output is parsed."""

import itertools
import re

import pytest

from bench import wrk
from bench.data import Layout
from bench.operations import V1, V2, Operation, Request, operations

URL = "http://127.0.0.1:8080"
OUTPUT = """\
Running 1s test @ http://127.0.0.1:46343
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.16ms    1.55ms  11.89ms   84.93%
    Req/Sec     1.94k   303.52     2.36k    70.00%
  1940 requests in 1.00s, 224.81KB read
  Non-2xx or 3xx responses: 646
Requests/sec:   1931.19
Transfer/sec:    223.79KB
figures 1940 1004562 1665 8007 0 0 0 646 0
"""
"""Output of wrk 4.1.0 for a server that returned 503 for every third request."""


def unquoted(text: str) -> bytes:
    """Return the bytes that Lua reads from a string."""
    return re.sub(rb"\\(\d{3})", lambda digits: bytes([int(digits[1])]), text[1:-1].encode())


@pytest.mark.parametrize(
    "text",
    [b'"quoted" and \\', b"\r\n\0\t7", "ünïcödé ✓".encode(), bytes(range(256)), b"]] --[[ ${}"],
)
def test_lua_string_preserves_any_bytes(text: bytes) -> None:
    quoted = wrk.quoted(text)
    assert re.fullmatch(r'"([ !#-\[\]-~]|\\\d{3})*"', quoted)
    assert unquoted(quoted) == text


def made(script: str, name: str) -> list[list[bytes]]:
    """Return the table of requests in a script, each as its parts."""
    table = re.search(rf"^local {name} = {{(.*?)}}$", script, re.MULTILINE | re.DOTALL)
    assert table is not None
    return [
        [unquoted(part) for part in re.findall(r'"[^"]*"', row)] for row in table[1].split("\n")
    ]


def test_script_requests_many_entries() -> None:
    layout = Layout(100_000)
    script = wrk.script(
        operations(layout)["GET entry"], URL, {"Authorization": "Basic eDp5"}, itertools.count()
    )
    requests = [b"".join(parts) for parts in made(script, "requests")]

    assert len(set(requests)) == wrk.REQUESTS
    path = operations(layout)["GET entry"].request(wrk.FIRST).path
    assert requests[0].decode() == (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
        "Accept: */*\r\nAuthorization: Basic eDp5\r\n\r\n"
    )


@pytest.mark.parametrize("base", [V1, V2])
def test_content_length_matches_the_body(base: str) -> None:
    script = wrk.script(operations(Layout(1000), base)["POST"], URL, {}, itertools.count())
    for parts in made(script, "requests"):
        head, body = str(wrk.FIRST + 12345).encode().join(parts).split(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head.splitlines()
        assert f'"new_{wrk.FIRST + 12345}"'.encode() in body


def test_delete_targets_what_post_created() -> None:
    wanted = operations(Layout(100_000))
    script = wrk.script(wanted["DELETE"], URL, {}, itertools.count(), made_by=wanted["POST"])
    for make, remove in zip(made(script, "requests"), made(script, "then_remove"), strict=True):
        place = make[0].split()[1]
        assert remove[0] == b"DELETE " + place + b"/new_"


def test_scripts_create_distinct_keys_of_equal_length() -> None:
    numbers, post = itertools.count(), operations(Layout(1000))["POST"]
    firsts = [
        int(re.findall(r"first = (\d+)", wrk.script(post, URL, {}, numbers))[0]) for _ in range(3)
    ]
    assert firsts == [10**15, 10**15 + 10**8, 10**15 + 2 * 10**8]
    assert all(first % wrk.REQUESTS == 0 for first in firsts)


def test_unusual_paths_are_sent_unchanged() -> None:
    odd = Operation("odd", lambda number: Request("GET", "/a%22b'c\\d?e=%7E"))
    parts = made(wrk.script(odd, URL, {}, itertools.count()), "requests")[0]
    assert parts[0].startswith(b"GET /a%22b'c\\d?e=%7E HTTP/1.1\r\n")


def test_wrk_output_is_parsed() -> None:
    run = wrk.read(OUTPUT)
    assert (run.p50, run.p99, run.failed) == (1.665, 8.007, 646)
    assert run.requests_per_second == pytest.approx(1288.1, abs=0.1)


def test_output_without_figures_is_an_error_that_shows_it() -> None:
    with pytest.raises(RuntimeError, match="unable to connect to"):
        wrk.read("unable to connect to 127.0.0.1:9 Connection refused\n")
