"""Recorded responses on runs, task instances and DAGs: masks, truncated bodies, comparison."""

import getpass
import json
import re
from collections.abc import Iterator
from functools import partial
from itertools import combinations, groupby
from typing import Any

from tests.support import json_diff
from tests.support.recorded import Answer, Case

HEADERS = ("content-type", "allow")
SECRET = ("file_token", "continuation_token")
"""Strings that depend on a secret key of the server: only their presence is compared."""

MASKS = {
    "<uuid>": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<id>": r"[\w-]+",
    "<addr>": "0x[0-9a-f]+",
    "<duration>": r"\d+(?:\.\d+)?(?:e-\d+)?",
    "<jwt>": r"[\w-]+\.[\w-]+\.[\w-]+",
}
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?"
_MASK = re.compile("(<(?:time|uuid|id|addr|duration|jwt)>)")

_ID_FIELDS = ("dag_id", "dag_run_id", "task_id", "map_index")
_IDS = [("id",)] + [names for size in (1, 2, 3, 4) for names in combinations(_ID_FIELDS, size)]
"""The fields of an element that its id in a truncated body can consist of."""


def differences(case: Case, answer: Answer) -> list[str]:
    """Return how a response differs from the recorded status, headers and body."""
    recorded = case["response"]
    found = []
    if answer.status != recorded["status"]:
        found.append(f"status {answer.status} instead of {recorded['status']}")
    for name in HEADERS:
        if _words(answer.headers.get(name)) != _words(recorded["headers"].get(name)) and (
            name in recorded["headers"] or name == "content-type"
        ):
            found.append(
                f"{name} {answer.headers.get(name)!r} instead of {recorded['headers'].get(name)!r}"
            )
    return [*found, *_body(case, recorded["body"], answer)]


def _words(header: str | None) -> list[str]:
    """Return the words of a header, sorted: the order of methods in `Allow` is random."""
    return sorted((header or "").split(", "))


def _body(case: Case, recorded: Any, answer: Answer) -> Iterator[str]:
    text = answer.body.decode(errors="replace")
    if isinstance(recorded, dict) and "_truncated" in recorded:
        yield from _truncated(recorded, answer, text)
    elif isinstance(recorded, str) and not text.startswith('"'):
        if not _same_text(case, recorded, text):
            yield f"body {text[:700]!r} instead of {recorded[:700]!r}"
    elif recorded is None:
        if text not in ("", "null\n", "null"):
            yield f"body {text[:700]!r} instead of none"
    elif (found := answer.json()) is None:
        yield f"body {text[:700]!r} instead of {json.dumps(recorded)[:700]}"
    else:
        zone = r"\+00:00" if "/api/v1/" in case["request"]["path"] else "Z"
        yield from json_diff.differences(recorded, found, partial(_same, zone))


def _truncated(recorded: dict[str, Any], answer: Answer, text: str) -> Iterator[str]:
    """Compare the ids and their order, the total, and the first characters of a long body."""
    if not text.startswith(recorded["_head"]):
        yield f"body {text[:700]!r} does not begin with {recorded['_head']!r}"
    if "_ids" not in recorded:
        return
    body = answer.json() or {}
    items = next((each for each in body.values() if isinstance(each, list)), [])
    if not any(_have_ids(items, names, recorded["_ids"]) for names in _IDS):
        yield f"{len(items)} elements with other ids than the recorded {recorded['_count']}"
    if body.get("total_entries") != recorded["_total_entries"]:
        yield f"total_entries {body.get('total_entries')} instead of {recorded['_total_entries']}"


def _have_ids(items: list[dict[str, Any]], names: tuple[str, ...], ids: list[Any]) -> bool:
    """Return whether elements have these ids, which are texts, or lists of several fields."""
    found = [[str(item.get(name)) for name in names] for item in items]
    expected = [
        [str(part) for part in each]
        if isinstance(each, list)
        else str(each).split("/", len(names) - 1)
        for each in ids
    ]
    return found == expected


def _same_text(case: Case, recorded: str, text: str) -> bool:
    """Compare a text; how often `/wait` repeats a line depends on the time."""
    if case["request"]["path"].endswith("/wait"):
        recorded, text = (
            "\n".join(line for line, _ in groupby(each.split("\n"))) for each in (recorded, text)
        )
    return _pattern(recorded).fullmatch(text) is not None


def _same(zone: str, name: str, recorded: Any, found: Any) -> bool:
    """Compare two JSON scalars; `zone` is the form of UTC in times of this version."""
    if not isinstance(recorded, str):
        return json.dumps(recorded) == json.dumps(found)
    if recorded == "<duration>":
        return isinstance(found, float)
    if not isinstance(found, str):
        return False
    if name in SECRET:
        return found != ""
    if (name, recorded) == ("unixname", "root"):  # the user of the recorded server's process
        return found == getpass.getuser()
    if recorded == "<time>" and not name.endswith("heartbeat"):
        return re.fullmatch(_TIME + zone, found) is not None
    return _pattern(recorded).fullmatch(found) is not None


def _pattern(recorded: str) -> re.Pattern[str]:
    masks = MASKS | {"<time>": rf"{_TIME}(?:Z|\+00:00)"}
    return re.compile("".join(masks.get(part) or re.escape(part) for part in _MASK.split(recorded)))
