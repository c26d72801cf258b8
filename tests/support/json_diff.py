"""Differences between a recorded JSON document and another one, by path."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

VALUES = ("value", "input")
"""Members whose content is compared as it is, except for the order of keys."""

Same = Callable[[str, Any, Any], bool]
"""Compares a number, string, boolean or null: its member's name, the recorded one, the other."""

_NAME = re.compile(r"([^.\[\]]*)(\[\d+\])*$")


def differences(recorded: Any, found: Any, same: Same, path: str = "") -> Iterator[str]:
    """Yield each difference with its path; the order of keys counts, except in values."""
    match = _NAME.search(path)
    name = match[1] if match else ""
    if name in VALUES:
        if _sorted(recorded) != _sorted(found):
            yield _difference(path, recorded, found)
    elif isinstance(recorded, dict) and isinstance(found, dict):
        yield from _keys(path, [*recorded], [*found])
        for key in (key for key in recorded if key in found):
            yield from differences(
                recorded[key], found[key], same, f"{path}.{key}" if path else key
            )
    elif isinstance(recorded, list) and isinstance(found, list):
        if len(recorded) != len(found):
            yield f"{path}: {len(found)} elements instead of {len(recorded)}"
        for number, (each, other) in enumerate(zip(recorded, found, strict=False)):
            yield from differences(each, other, same, f"{path}[{number}]")
    elif not same(name, recorded, found):
        yield _difference(path, recorded, found)


def _keys(path: str, recorded: list[str], found: list[str]) -> Iterator[str]:
    if missing := [key for key in recorded if key not in found]:
        yield f"{path}: without {', '.join(missing)}"
    if added := [key for key in found if key not in recorded]:
        yield f"{path}: with {', '.join(added)}"
    if not missing and not added and recorded != found:
        yield f"{path}: keys in the order {', '.join(found)}"


def _sorted(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


def _difference(path: str, recorded: Any, found: Any) -> str:
    return f"{path}: {_short(found)} instead of {_short(recorded)}"


def _short(document: Any) -> str:
    text = json.dumps(document, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}…"
