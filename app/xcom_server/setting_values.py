"""How the text of a setting is converted to its value."""

import re
from collections.abc import Callable, Sequence
from dataclasses import Field
from math import inf
from typing import Any

from xcom_server import releases
from xcom_server.errors import OperatorError
from xcom_server.formats import hosts
from xcom_server.formats.peers import Peers, is_base_path

Format = tuple[Callable[[str], bool], str]
"""Whether a text is valid, and what is valid in words."""

PREFIX = "XCOM_"
BOOLEANS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}

PATTERNS = ("allowed_run_id_pattern",)
CHOICES = {"auth": ("none", "any", "users"), "log_format": ("console", "json")}

_MAX_PORT = 65535
_TOKEN = re.compile(r"[!-~]{16,}")
_HOST = r"\[[^\s/\[\],]+\]|[^\s/\[\],:]+"  # IPv6 in brackets, or a name or IPv4
_ADDRESS = re.compile(
    rf"unix:.+|fd://[0-9]{{1,9}}|(?:{_HOST}):(?P<port>[0-9]{{1,5}})",
    re.DOTALL,
)
_NUMBERS = {
    int: ("[0-9]{1,9}", "a whole number"),
    float: (r"[0-9]{1,9}(\.[0-9]{1,3})?", "a number of seconds"),
}


class SettingsError(OperatorError):
    """A setting is unknown, or its value is invalid; the message names the variable."""


def convert(spec: "Field[Any]", text: str) -> Any:
    """Convert text to the type of the setting's default.

    White space around the text is removed: files and Secrets often end with a newline.  Raises
    SettingsError for text that does not fit.
    """
    kind: Any = type(spec.default)
    text = _stripped(spec.name, text)
    is_valid, expected = _FORMATS.get(spec.name) or _format_of(kind, spec)
    if not is_valid(text):
        given = "" if spec.metadata["is_secret"] else f", not {text!r}"
        raise SettingsError(f"{PREFIX}{spec.name.upper()} must be {expected}{given}.")
    return BOOLEANS[text.lower()] if kind is bool else kind(text)


def _stripped(name: str, text: str) -> str:
    """Return text without white space around it.  Raises SettingsError unless it was UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:  # Python has decoded other bytes as lone surrogates
        raise SettingsError(f"{PREFIX}{name.upper()} is not valid UTF-8.") from None
    return text.strip()


def _format_of(kind: type, spec: "Field[Any]") -> Format:
    """Return the format of the texts of a type."""
    if kind is bool:
        return lambda text: text.lower() in BOOLEANS, "true or false"
    if kind in _NUMBERS:
        pattern, noun = _NUMBERS[kind]
        least, most = spec.metadata["least"], spec.metadata["most"]
        return (
            lambda text: re.fullmatch(pattern, text) is not None and least <= float(text) <= most,
            f"{noun} of at least {least:.9g}" + (f" and at most {most:.9g}" if most < inf else ""),
        )
    return lambda text: bool(text or not spec.default), "a text that is not empty"


def _is_address(text: str) -> bool:
    address = _ADDRESS.fullmatch(text)
    return address is not None and int(address["port"] or 0) <= _MAX_PORT


def _parses_with(parse: Callable[[str], object]) -> Callable[[str], bool]:
    """Return a function that returns whether `parse` raises no ValueError for a text."""

    def is_valid(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return is_valid


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):  # the last ones for a large pattern
        return False
    return bool(text)


def _alternatives(texts: Sequence[str]) -> str:
    """Return texts as `a, b or c`."""
    return " or ".join([", ".join(texts[:-1]), texts[-1]])


_FORMATS: dict[str, Format] = {
    **{name: (texts.__contains__, _alternatives(texts)) for name, texts in CHOICES.items()},
    **dict.fromkeys(PATTERNS, (_is_pattern, "a regular expression")),
    "emulator_token": (
        lambda text: not text or _TOKEN.fullmatch(text) is not None,
        "at least 16 characters of ASCII without spaces",
    ),
    "airflow_version": (
        _parses_with(releases.parse),
        f"{_alternatives([*releases.VERSIONS])}, or both separated by a comma",
    ),
    "bind": (_is_address, f"HOST:PORT (port 0 to {_MAX_PORT}), unix:PATH or fd://N"),
    "base_path": (
        lambda text: not text or is_base_path(text),
        "a path such as /airflow, of letters, digits, `-`, `.`, `_` and `~`, without a slash at"
        " its end",
    ),
    "trusted_proxies": (
        _parses_with(Peers.parse),
        "addresses, networks such as 10.0.0.0/8 or `unix`, separated by commas",
    ),
    "allowed_hosts": (
        hosts.are_names,
        "names without ports, *.NAME, addresses, networks such as 10.0.0.0/8 or *, separated by"
        " commas",
    ),
    "allowed_origins": (
        hosts.are_origins,
        "origins such as https://app.example:8443 or *, separated by commas",
    ),
}
