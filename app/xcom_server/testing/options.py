"""The options of a test: those of the configuration file, overridden by its markers."""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from xcom_server.emulator.rules import RULES
from xcom_server.settings import Settings
from xcom_server.testing.journal import Request
from xcom_server.testing.server import Seed, XcomServer

__tracebackhide__ = True  # pytest shows the line of the test instead
NAMES = ("allow", "seed", "strict")
"""What a marker has besides settings."""


class InvalidOption(ValueError):
    """A marker has an argument that does not exist, or a value that is not one of its values."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a test requires of its server.

    `seed` is loaded before the test. With `strict`, the test fails if one of its requests has a
    finding whose rule is not in `allow`.
    """

    settings: dict[str, object] = field(default_factory=dict)
    seed: Seed | None = None
    strict: bool = False
    allow: frozenset[str] = frozenset()

    def prepare(self, server: XcomServer) -> None:
        """Empty the server and load the seed."""
        server.reset()
        if self.seed is not None:
            server.seed(self.seed)

    def disallowed(self, requests: Iterable[Request]) -> list[str]:
        """Return the ids of the rules that found something and are not allowed, sorted."""
        found = {finding.rule for request in requests for finding in request.findings}
        return sorted(found - self.allow)


def read(
    configured: Mapping[str, object], markers: Iterable[Mapping[str, Any]], folder: Path
) -> Options:
    """Return the options from the configuration and the arguments of markers, the nearest first.

    `folder` is that of the test, to which the path of a marker's seed is relative.  Raises
    InvalidOption.
    """
    given: dict[str, Any] = {}
    for marker in markers:
        _require_known(marker)
        given = {**marker, **given}
    if isinstance(given.get("seed"), str | os.PathLike):
        given["seed"] = folder / given["seed"]
    if isinstance(given.get("allow"), str):
        given["allow"] = [given["allow"]]
    _require_valid(given)
    merged = {**_without_overridden_login(configured, given), **given}
    return Options(
        settings={name: value for name, value in merged.items() if name not in NAMES},
        seed=merged.get("seed"),
        strict=bool(merged.get("strict")),
        allow=frozenset(merged.get("allow", ())),
    )


def _without_overridden_login(
    configured: Mapping[str, object], given: Mapping[str, object]
) -> dict[str, object]:
    """Return the configuration without `auth` and `users` if a marker has one of them."""
    login = {"auth", "users"}
    dropped = login if login & given.keys() else set()
    return {name: value for name, value in configured.items() if name not in dropped}


def _require_valid(given: Mapping[str, Any]) -> None:
    if (strict := given.get("strict", False)) not in (True, False):
        raise InvalidOption(f"pytest.mark.xcom: strict must be True or False, not {strict!r}")
    rules = [rule.id for rule in RULES]
    for name in given.get("allow", ()):
        if name not in rules:
            raise InvalidOption(
                f"pytest.mark.xcom: allow: no rule has the id {name!r}.{_hint(name, rules)}"
            )


def _hint(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _require_known(marker: Mapping[str, Any]) -> None:
    known = [*NAMES, *(spec.name for spec in fields(Settings))]
    for name in marker:
        if name not in known:
            raise InvalidOption(
                f"pytest.mark.xcom: {name!r} is not {', '.join(NAMES)} or a setting of the"
                f" server.{_hint(name, known)}"
            )
