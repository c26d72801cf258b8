"""wrk, the load generator: what it is given to send, and the figures it gives back.

Requests are made here, byte by byte; wrk's Lua script takes them in turn. Where a request makes an
entry, the script puts a key into it that no other thread and no other run has.
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
"""The number of the first request: all others have as many digits, so that lengths stay."""

REQUESTS = 1000
"""How many requests a script has; FIRST and what is added to it are multiples of it."""

THREADS = 1
"""One thread of wrk sends far more than two workers answer, and leaves them the processors."""

TIMEOUT = 30
"""After how many seconds without an answer a request counts as failed."""

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
    """What a contender did under one run of wrk; times are in milliseconds."""

    requests_per_second: float
    p50: float
    p99: float
    failed: int
    """Broken connections, answers that are no success, and answers that never came."""


def is_there() -> bool:
    """Say whether wrk is installed."""
    return shutil.which("wrk") is not None


def drive(url: str, script: str, connections: int, seconds: int) -> Run:
    """Let wrk send what a script says, for so many seconds over so many connections."""
    if not is_there():
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
    """Read what the script's last function printed."""
    if not (found := _FIGURES.search(output)):
        raise RuntimeError(f"wrk said:\n{output}")
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
    """Return a script of requests of one kind.

    `made_by` is what makes the entry that a request removes; each is then removed once its making
    was answered. `numbers` gives each script a range of new keys.
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
    """Return requests as a table of Lua's: each the parts between which its number is put."""
    rows = []
    for number in range(FIRST, FIRST + REQUESTS):
        parts = text(operation.request(number)).split(str(number).encode())
        rows.append("{" + ", ".join(map(quoted, parts)) + "}")
    return "{" + ",\n".join(rows) + "}"


def quoted(text: bytes) -> str:
    r"""Return bytes as a string of Lua's: what is no plain character as \ and three digits."""
    return (
        '"'
        + "".join(
            chr(each) if 32 <= each < 127 and each not in b'"\\' else f"\\{each:03}"
            for each in text
        )
        + '"'
    )
