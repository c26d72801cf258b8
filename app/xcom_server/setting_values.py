"""How the text of a setting is converted to its value."""

import re
from collections.abc import Callable
from dataclasses import Field
from typing import Any

from xcom_server.errors import OperatorError
from xcom_server.formats import hosts
from xcom_server.formats.peers import Peers, is_base_path

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
CHOICES = {"auth": ("none", "users"), "log_format": ("console", "json")}

_MAX_PORT = 65535
_ADDRESS = re.compile(r"unix:.+|fd://[0-9]{1,9}|[^\s/]+:(?P<port>[0-9]{1,5})", re.DOTALL)
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
    text = _stripped(spec.name, text)
    kind: Any = type(spec.default)
    name, word, least = spec.name, text.lower(), spec.metadata["least"]
    if name in CHOICES:
        valid, expected = text in CHOICES[name], " or ".join(CHOICES[name])
    elif name in PATTERNS:
        valid, expected = _is_pattern(text), "a regular expression"
    elif name == "bind":
        address = _ADDRESS.fullmatch(text)
        valid = address is not None and int(address["port"] or 0) <= _MAX_PORT
        expected = f"HOST:PORT (port 0 to {_MAX_PORT}), unix:PATH or fd://N"
    elif name in _FORMATS:
        is_valid, expected = _FORMATS[name]
        valid = is_valid(text)
    elif kind is bool:
        valid, expected = word in BOOLEANS, "true or false"
    elif kind in _NUMBERS:
        pattern, noun = _NUMBERS[kind]
        valid = re.fullmatch(pattern, word) is not None and float(word) >= least
        expected = f"{noun} of at least {least:g}"
    else:
        valid, expected = bool(text or not spec.default), "a text that is not empty"
    if not valid:
        raise SettingsError(f"{PREFIX}{name.upper()} must be {expected}, not {text!r}.")
    return BOOLEANS[word] if kind is bool else kind(text)


def _stripped(name: str, text: str) -> str:
    """Return text without white space around it.  Raises SettingsError unless it was UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:  # Python has decoded other bytes as lone surrogates
        raise SettingsError(f"{PREFIX}{name.upper()} is not valid UTF-8.") from None
    return text.strip()


def _is_list_of_peers(text: str) -> bool:
    try:
        Peers.parse(text)
    except ValueError:
        return False
    return True


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return bool(text)


_FORMATS: dict[str, tuple[Callable[[str], bool], str]] = {
    "base_path": (
        lambda text: not text or is_base_path(text),
        "a path such as /airflow, of letters, digits, `-`, `.`, `_` and `~`, without a slash at"
        " its end",
    ),
    "trusted_proxies": (
        _is_list_of_peers,
        "addresses, networks such as 10.0.0.0/8 or `unix`, separated by commas",
    ),
    "allowed_hosts": (
        hosts.are_names,
        "names without ports, *.NAME, addresses, networks or *, separated by commas",
    ),
    "allowed_origins": (
        hosts.are_origins,
        "origins such as https://app.example:8443 or *, separated by commas",
    ),
}
