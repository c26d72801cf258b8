"""Every setting of the server: one frozen table of name, default and help.

A setting `database_url` is the environment variable `XCOM_DATABASE_URL` and the option
`--database-url` of `xcom-server serve`.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from xcom_server.errors import OperatorError
from xcom_server.formats.strict_json import MAX_DEPTH

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

CHOICES = {"auth": ("none", "users"), "log_format": ("console", "json")}

_MAX_PORT = 65535
_ADDRESS = re.compile(r"(unix:|fd://).+|[^\s/]+:(?P<port>[0-9]{1,5})", re.DOTALL)
_NUMBERS = {
    int: ("[0-9]{1,9}", "a whole number"),
    float: (r"[0-9]{1,9}(\.[0-9]{1,3})?", "a number of seconds"),
}


class SettingsError(OperatorError):
    """A setting is unknown or its value cannot be read; the text names the variable."""


def _setting(default: Any, help_text: str, *, least: float = 1) -> Any:
    return field(default=default, metadata={"help": help_text, "least": least})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an operator decides.  Time-outs are in seconds."""

    database_url: str = _setting(
        "sqlite:///xcom.db",
        "SQLAlchemy URL of the database: SQLite (a file, or sqlite:// in"
        " memory) or PostgreSQL (postgresql+psycopg://).",
    )
    require_parents: bool = _setting(
        False,
        "Answer 404 to a write for an unknown DAG run or task instance; if false, it is"
        " registered.",
    )
    deserialize: bool = _setting(
        False, "Allow deserialize=true in v1, as Airflow's enable_xcom_deserialize_support does."
    )
    maximum_page_limit: int = _setting(100, "The largest page that `limit` can ask for.")
    fallback_page_limit: int = _setting(100, "The page size for `limit=0` in v1.")
    max_body_bytes: int = _setting(1024 * 1024, "The largest request body, in bytes (413).")
    max_json_depth: int = _setting(MAX_DEPTH, "How deeply a request body may be nested (400).")
    validate_responses: bool = _setting(
        False, "For tests: answer 500 if a response does not conform to the OpenAPI document."
    )
    auth: str = _setting(
        "none",
        "Authentication: `users` requires a login from the users file; `none` treats"
        " everyone as an admin and only listens on loopback.",
    )
    users_file: str = _setting("xcom-users.json", "The users file of `xcom-server user`.")
    token_key_file: str = _setting(
        "xcom-token.key",
        "File with the key that signs v2 tokens (at least 64 bytes). Created if"
        " missing; shared by hosts that share a database.",
    )
    token_lifetime_seconds: int = _setting(24 * 60 * 60, "Token lifetime in seconds.")
    pool_size: int = _setting(
        10,
        "Largest number of database connections per worker; with at least as many as `threads`,"
        " no request waits for one.",
    )
    pool_timeout_seconds: float = _setting(
        1.0, "Seconds that a request waits for a connection of the pool (503).", least=0.001
    )
    connect_timeout_seconds: float = _setting(
        1.5, "Seconds that a new connection may take, over all hosts of the URL (503).", least=0.001
    )
    statement_timeout_seconds: float = _setting(
        1.5, "Seconds that a statement may take on PostgreSQL (503); 0 disables.", least=0.0
    )
    lock_timeout_seconds: float = _setting(
        1.2, "Seconds that a write waits for other writers (503).", least=0.001
    )
    prepared_statements: bool = _setting(
        True, "Prepare statements on PostgreSQL; false for a pooler without support for them."
    )
    bind: str = _setting("127.0.0.1:8080", "The address to listen on, HOST:PORT.")
    workers: int = _setting(2, "Number of gunicorn worker processes.")
    threads: int = _setting(4, "Number of threads in each worker.")
    balance_connections: bool = _setting(
        True,
        "Let a worker with fewer connections accept a new one; false uses gunicorn's own"
        " gthread worker.",
    )
    max_requests: int = _setting(
        0,
        "Restart a worker after this many requests (plus up to 10 % jitter); 0 disables.",
        least=0,
    )
    drain_seconds: int = _setting(
        1,
        "After SIGTERM, seconds that /ready answers 503 before the server stops accepting"
        " requests.",
        least=0,
    )
    graceful_timeout_seconds: int = _setting(
        30, "Seconds that requests in progress may take to finish after that."
    )
    metrics: bool = _setting(True, "Serve Prometheus metrics at /metrics.")
    log_format: str = _setting("console", "Log format: console (text) or json.")
    log_requests: bool = _setting(False, "Log every request.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings from `XCOM_…` variables.

        Raises SettingsError for an unknown name and for a value of the wrong type.
        """
        given = {
            name.removeprefix(PREFIX).lower(): text
            for name, text in environ.items()
            if name.startswith(PREFIX)
        }
        known = {spec.name: spec for spec in fields(cls)}
        for name in given.keys() - known.keys():
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {PREFIX}{close[0].upper()}?" if close else ""
            raise SettingsError(f"{PREFIX}{name.upper()} is not a setting.{hint}")
        return cls(**{name: _convert(known[name], text) for name, text in given.items()})

    def to_env(self) -> dict[str, str]:
        """Return the variables from which `from_env` reads these settings back."""
        return {PREFIX + spec.name.upper(): str(getattr(self, spec.name)) for spec in fields(self)}


def _convert(spec: "Field[Any]", text: str) -> Any:
    """Return a setting's value from its text, by the type of its default; raises SettingsError."""
    kind: Any = type(spec.default)
    name, word, least = spec.name, text.strip().lower(), spec.metadata["least"]
    if name in CHOICES:
        valid, expected = text in CHOICES[name], " or ".join(CHOICES[name])
    elif name == "bind":
        address = _ADDRESS.fullmatch(text)
        valid = address is not None and int(address["port"] or 0) <= _MAX_PORT
        expected = f"HOST:PORT, with a port up to {_MAX_PORT}"
    elif kind is bool:
        valid, expected = word in BOOLEANS, "true or false"
    elif kind in _NUMBERS:
        pattern, noun = _NUMBERS[kind]
        valid = re.fullmatch(pattern, word) is not None and float(word) >= least
        expected = f"{noun} of at least {least:g}"
    else:
        return text
    if not valid:
        raise SettingsError(f"{PREFIX}{name.upper()} must be {expected}, not {text!r}.")
    return BOOLEANS[word] if kind is bool else kind(text)
