"""Faults: which requests they match, and what happens to these.

A definition is JSON-like data with `match`, `times` and `effect`. Its types and ranges are those of
openapi/emulator.yaml; the rules here are those that a schema cannot express.
"""

import difflib
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from xcom_server.storage.emulator import StoredFault

Definition = dict[str, Any]

ANY_MATCH: Definition = {
    "operation": "*",
    "method": None,
    "path": "*",
    "client": "",
    "share": 1,
    "seed": 0,
}
MAX_FAULTS = 1000
_NEVER = ("/live", "/ready", "/metrics")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;[ -~]*)?", re.ASCII)


class InvalidFault(Exception):
    """A definition that no request can match, or that has no effect; the message is for clients."""


@dataclass(frozen=True, kw_only=True)
class EffectType:
    """A type of effect: its fields, and the requests and servers that it needs.

    `before` means that the effect takes place before the operation is executed. `changes_body`
    effects need a response with a body, `needs_list` ones a list with `total_entries`,
    `needs_login` ones an operation that checks credentials, and `needs_worker` ones the gunicorn
    worker of this server.
    """

    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    changes_body: bool = False
    needs_list: bool = False
    needs_login: bool = False
    needs_worker: bool = False


EFFECTS = {
    "status": EffectType(
        required=("status",), defaults={"retry_after": None, "detail": None, "after": False}
    ),
    "latency": EffectType(required=("seconds",), needs_worker=True),
    "reset": EffectType(defaults={"after": False}, needs_worker=True),
    "truncate": EffectType(changes_body=True, needs_worker=True),
    "malformed_json": EffectType(changes_body=True),
    "content_type": EffectType(defaults={"value": "text/html"}),
    "missing_total": EffectType(changes_body=True, needs_list=True),
    "extra_field": EffectType(
        defaults={"name": "added_in_a_later_release", "value": None}, changes_body=True
    ),
    "shifted_page": EffectType(defaults={"by": -1}, changes_body=True, needs_list=True),
    "expired_token": EffectType(needs_login=True),
}


class Operation(NamedTuple):
    """An operation of the API, such as `v1.getXComValue`.

    `is_list` is true if its responses have `total_entries`, and `has_login` if it checks
    credentials.
    """

    name: str
    methods: frozenset[str] = frozenset()
    is_list: bool = False
    has_login: bool = False

    def is_matched(self, pattern: str) -> bool:
        """Return whether a pattern matches the name, with or without its version."""
        return fnmatchcase(self.name, pattern) or fnmatchcase(self.name.rpartition(".")[2], pattern)


class Request(NamedTuple):
    """What a fault can match; `client` is the User-Agent."""

    operation: Operation
    method: str
    path: str
    client: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that may be applied."""

    number: int
    match: Mapping[str, Any]
    effect: Mapping[str, Any]
    is_spent: bool

    @classmethod
    def of(cls, stored: StoredFault) -> "Fault":
        """Return a stored fault."""
        definition = stored.definition
        is_spent = definition["times"] is not None and stored.applied >= definition["times"]
        return cls(stored.number, definition["match"], definition["effect"], is_spent)

    @property
    def type(self) -> str:
        """The name of the effect's type."""
        return str(self.effect["type"])

    def matches(self, request: Request) -> bool:
        """Return whether the fault is for a request, except for its share."""
        match = self.match
        return (
            not self.is_spent
            and match["method"] in (None, request.method)
            and request.operation.is_matched(match["operation"])
            and fnmatchcase(request.path, match["path"])
            and match["client"].casefold() in request.client.casefold()
            and can_have(self.type, request.operation, request.method)
        )

    def is_drawn(self, position: int) -> bool:
        """Return whether the share includes the request at a position among those that match.

        This depends only on the seed and the position, and on no worker.
        """
        digest = hashlib.sha256(f"{self.match['seed']}:{position}".encode()).digest()
        return int.from_bytes(digest[:8]) < float(self.match["share"]) * 2**64


def can_have(effect: str, operation: Operation, method: str | None) -> bool:
    """Return whether an effect is possible for an operation and a method, None for any."""
    kind = EFFECTS[effect]
    return not (
        (kind.changes_body and method == "HEAD")
        or (kind.needs_list and not operation.is_list)
        or (kind.needs_login and not operation.has_login)
    )


def complete(
    definition: Definition, operations: Collection[Operation], *, has_worker: bool
) -> Definition:
    """Return a definition with the defaults of all fields.

    `operations` are those of the server. `has_worker` says whether its worker can reset and hold
    responses. Raises InvalidFault, which names the field.
    """
    effect = _complete_effect(definition["effect"], has_worker)
    match = ANY_MATCH | definition.get("match", {})
    _check_path(match["path"])
    _require_possible(match, effect["type"], _operations_of(match, operations))
    return {"match": match, "times": definition.get("times"), "effect": effect}


def _complete_effect(effect: Definition, has_worker: bool) -> Definition:
    name = effect["type"]
    kind = EFFECTS[name]
    fields = [*kind.required, *kind.defaults]
    for each in effect.keys() - {"type", *fields}:
        known = f"only {', '.join(fields)}" if fields else "none"
        raise InvalidFault(f"effect.{each}: {name} has no such field ({known}).")
    for each in kind.required:
        if each not in effect:
            raise InvalidFault(f"effect.{each}: {name} needs this field.")
    if name == "content_type" and not _is_media_type(effect.get("value", "text/html")):
        raise InvalidFault("effect.value: must be a media type, such as text/html.")
    if kind.needs_worker and not has_worker:
        raise InvalidFault(
            f"effect.type: {name} needs the worker of `xcom-server serve`, which this server does"
            " not have."
        )
    return {**kind.defaults, **effect}


def _check_path(path: str) -> None:
    if not path.startswith(("/", "*")):
        raise InvalidFault("match.path: a path begins with / and contains no host.")
    if path in _NEVER or f"{path}/".startswith("/_emulator/"):
        raise InvalidFault("match.path: the control plane and the probes have no faults.")


def _is_media_type(value: object) -> bool:
    return isinstance(value, str) and _MEDIA_TYPE.fullmatch(value) is not None


def _operations_of(match: Definition, operations: Iterable[Operation]) -> list[Operation]:
    """Return the operations that a match can match.  Raises InvalidFault if there are none."""
    pattern, method = match["operation"], match["method"]
    named = [each for each in operations if each.is_matched(pattern)]
    if not named and pattern != "*":
        names = [each.name for each in operations]
        names += [each.rpartition(".")[2] for each in names]
        similar = difflib.get_close_matches(pattern, names, n=1)
        hint = f" Did you mean {similar[0]}?" if similar else ""
        raise InvalidFault(f"match.operation: no operation matches {pattern!r}.{hint}")
    found = [each for each in named if method in (None, *each.methods)]
    if not found and pattern != "*":
        allowed = ", ".join(sorted({method for each in named for method in each.methods}))
        raise InvalidFault(f"match.method: {pattern!r} has no {method}, only {allowed}.")
    return found


def _require_possible(match: Definition, effect: str, operations: Iterable[Operation]) -> None:
    method = match["method"]
    if EFFECTS[effect].changes_body and method == "HEAD":
        raise InvalidFault(f"match.method: {effect} needs a body, and responses to HEAD have none.")
    kind = EFFECTS[effect]
    if (kind.needs_list or kind.needs_login) and not any(
        can_have(effect, each, method) for each in operations
    ):
        needed = "lists" if kind.needs_list else "operations that need credentials"
        raise InvalidFault(f"effect.type: {effect} is only for {needed}; match.operation has none.")
