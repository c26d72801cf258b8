"""Odd texts, JSON values and headers: input that has broken servers before."""

import json
import random
from typing import Any

TEXTS = (
    "",
    "~",
    ".",
    "..",
    "../../etc/passwd",
    "a/b",
    "/a",
    "a//b",
    "a b",
    "%",
    "%2F",
    "%00",
    "\x00",
    "\n",
    "\r\nX-Injected: 1",
    "\u00e9\u4e16\u754c",
    "\U0001f600",
    "\u202e\u0661",
    "\u0130\u0131",
    "'; DROP TABLE xcom; --",
    "$2a${jndi:ldap://x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "\\",
    "%s%n",
    "a" * 250,
    "a" * 251,
    "a" * 513,
    "b" * 3000,
    "null",
    "true",
    "-1",
    "1_0",
    "0x10",
    "1e400",
    "99999999999999999999",
    "2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00.123+14:00",
    "2024-02-30",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "a,b,,c",
    "-start_date",
    "success",
    "%_|%",
)
NUMBERS = (0, -1, 1, 2, 50, 100, 101, 2**31, -(2**31) - 1, 2**63, 2**70, 10**400, 0.5, -0.0, 1e308)
RAW_JSON = (
    b"",
    b" ",
    b"{",
    b"[",
    b"nul",
    b"NaN",
    b'{"key": "a", "key": "b"}',
    b'{"key": "k", "value": Infinity}',
    b'{"value": "\\ud800"}',
    b'{"value": "\\u0000"}',
    b'{"value": 1e400}',
    b'\xef\xbb\xbf{"value": 1}',
    b'{"value": "\xff"}',
    b"\xff\xfe{\x00}\x00",
    b"[" * 300,
    b"[" * 70 + b"]" * 70,
    b'{"value": ' + b"9" * 5000 + b"}",
    b'{"__classname__": "builtins.eval", "__data__": "1"}',
    b'{"value": {"__type": "dict", "__var": {}}}',
)
HEADERS = (
    ("Accept", "text/html"),
    ("Accept-Encoding", "gzip"),
    ("Accept-Encoding", "identity;q=0, *;q=0"),
    ("If-Match", "*"),
    ("If-Match", '"abc", W/"d", é'),
    ("If-None-Match", "*"),
    ("If-None-Match", '"' + "x" * 1000 + '"'),
    ("X-Request-Id", "x" * 200),
    ("X-Forwarded-For", "10.0.0.1, ::1"),
    ("X-Forwarded-Prefix", "//attacker.example"),
    ("X-Forwarded-Host", "attacker.example"),
    ("X-Forwarded-Proto", "javascript"),
    ("Script-Name", "/x"),
    ("SCRIPT_NAME", "/x"),
    ("PATH_INFO", "/metrics"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("Range", "bytes=0-0,1-1"),
    ("Origin", "null"),
    ("Cookie", "session=" + "e" * 500),
    ("Transfer-Encoding", "identity"),
    ("Expect", "200-ok"),
    ("Connection", "upgrade"),
    ("Upgrade", "h2c"),
    ("Content-Encoding", "gzip"),
)


def text(choose: random.Random) -> str:
    """Return an odd text, or a random one."""
    if choose.random() < 0.8:
        return choose.choice(TEXTS)
    return "".join(chr(choose.choice((32, 47, 97, 126, 233, 0x4E16))) for _ in range(12))


def value(choose: random.Random, depth: int = 3) -> Any:
    """Return an odd JSON value."""
    kind = choose.randrange(8 if depth else 5)
    if kind == 0:
        return text(choose)
    if kind in (1, 2):
        return choose.choice(NUMBERS)
    if kind in (3, 4):
        return choose.choice((None, True, False, "", [], {}))
    if kind == 5:
        return [value(choose, depth - 1) for _ in range(choose.randrange(4))]
    return {text(choose): value(choose, depth - 1) for _ in range(choose.randrange(4))}


def encoded(data: Any) -> bytes:
    """Return JSON; numbers that Python writes without an exponent stay whole."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")
