"""The number of items in the response of a list, counted without parsing it."""

import re

_LIST = re.compile(rb'\{\s*(?:"total_entries":\s*(\d+),\s*)?"\w+":\s*\[')
_TOTAL = re.compile(rb'"total_entries":\s*(\d+)')
_STRING = re.compile(rb'"[^"]*"')
_INNERMOST = re.compile(rb"\[,*\]|\{,*\}")
_OTHER_BYTES = bytes(each for each in range(256) if each not in b"[]{},")


def count(body: bytes) -> tuple[int | None, int | None]:
    """Return `total_entries` and the number of items of a list's JSON, None for what it lacks.

    A list is an object whose first member, besides `total_entries`, is an array.  Parsed, a large
    response would need up to 44 times its size in memory.
    """
    if not (start := _LIST.match(body)) or (end := body.rfind(b"]")) < 0:
        return None, None
    total = start if start[1] else _TOTAL.search(body, end)
    return int(total[1]) if total else None, _items(body)


def _items(body: bytes) -> int:
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = _STRING.sub(b"", unescaped).translate(None, _OTHER_BYTES)
    inside = structure[structure.index(b"[") + 1 : structure.rindex(b"]")]
    if not inside:
        return 0
    removed = 1
    while removed:  # once for each level of nesting
        inside, removed = _INNERMOST.subn(b"", inside)
    return inside.count(b",") + 1
