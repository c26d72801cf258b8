"""The load generator wrk: its Lua scripts and its results.

The requests are rendered here, and the script sends them one after another.  Into a request that
creates an entry, the script inserts a key that is unique over threads and runs.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.operations import Operation, Request, new_key

MISSING = "wrk is missing (Debian: apt-get install wrk)"

FIRST = 10**15
"""The number of the first request.  All have the same number of digits, and so the same length."""

REQUESTS = 1000
"""The number of requests in a script; FIRST and all increments are multiples of it."""

THREADS = 1
"""One thread of wrk sends far more than two workers can serve, and leaves the CPUs to them."""

TIMEOUT = 30
"""The number of seconds without a response after which a request counts as failed."""

_SCRIPT = """\
local first = {first}
local requests = {requests}
local then_remove = {then_remove}
local count, made, threads = 0, {{}}, 0

function setup(thread)
  thread:set("thread", threads)
  threads = threads + 1
end

local function filled(parts, number)
  return table.concat(parts, string.format("%.0f", number))
end

function request()
  if then_remove and #made > 0 then
    local number = table.remove(made)
    return filled(then_remove[number % #then_remove + 1], number)
  end
  local number = first + thread * 1e13 + count
  count = count + 1
  return filled(requests[number % #requests + 1], number)
end

if then_remove then
  function response(status, headers, body)
    local number = body:match("{key}(%d+)")
    if number then made[#made + 1] = tonumber(number) end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("figures %d %d %d %d %d %d %d %d %d\\n", summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99), errors.connect, errors.read,
    errors.write, errors.status, errors.timeout))
end
"""

_FIGURES = re.compile(r"^figures" + r" (\d+)" * 9 + "$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """The results of one run of wrk; times are in milliseconds."""

    requests_per_second: float
    p50: float
    p99: float
    failed: int
    """Broken connections, error responses and time-outs."""


def is_installed() -> bool:
    """Return whether wrk is installed."""
    return shutil.which("wrk") is not None


def drive(url: str, script: str, connections: int, seconds: int) -> Run:
    """Run wrk with a script, for some seconds over some connections.

    Raises RuntimeError if wrk is missing or fails.
    """
    if not is_installed():
        raise RuntimeError(MISSING)
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "requests.lua").write_text(script)
        done = subprocess.run(
            [
                "wrk",
                f"-t{THREADS}",
                f"-c{connections}",
                f"-d{seconds}s",
                f"--timeout={TIMEOUT}s",
                "-s",
                path,
                url,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 2 * TIMEOUT,
        )
    return read(done.stdout + done.stderr)


def read(output: str) -> Run:
    """Parse the line that the script's function `done` prints."""
    if not (found := _FIGURES.search(output)):
        raise RuntimeError(f"wrk failed:\n{output}")
    requests, duration, p50, p99, connect, read_, write, status, timeout = map(int, found.groups())
    return Run(
        (requests - status) / duration * 1e6,
        p50 / 1000,
        p99 / 1000,
        connect + read_ + write + status + timeout,
    )


def script(
    operation: Operation,
    url: str,
    headers: dict[str, str],
    numbers: Iterator[int],
    *,
    made_by: Operation | None = None,
) -> str:
    """Return a script with requests of one kind.

    If the requests delete entries, `made_by` is the operation that creates them; each entry is
    deleted after the response to its creation.  `numbers` gives each script a range of new keys.
    """
    text = _as_text(urlsplit(url).netloc, headers)
    first = FIRST + next(numbers) * 10**8
    requests = _table(made_by or operation, text)
    return _SCRIPT.format(
        first=first,
        requests=requests,
        key=new_key(0)[:-1],
        then_remove=_table(operation, text) if made_by else "nil",
    )


def _as_text(host: str, headers: dict[str, str]) -> Callable[[Request], bytes]:
    def text(request: Request) -> bytes:
        lines = [
            f"{request.method} {request.path} HTTP/1.1",
            f"Host: {host}",
            "Accept: */*",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if request.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(request.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + request.body

    return text


def _table(operation: Operation, text: Callable[[Request], bytes]) -> str:
    """Return requests as a Lua table; each is a list of parts, to be joined by its number."""
    rows = []
    for number in range(FIRST, FIRST + REQUESTS):
        parts = text(operation.request(number)).split(str(number).encode())
        rows.append("{" + ", ".join(map(quoted, parts)) + "}")
    return "{" + ",\n".join(rows) + "}"


def quoted(text: bytes) -> str:
    r"""Return bytes as a Lua string; bytes that are not plain ASCII become \ and three digits."""
    return (
        '"'
        + "".join(
            chr(each) if 32 <= each < 127 and each not in b'"\\' else f"\\{each:03}"
            for each in text
        )
        + '"'
    )
