"""The settings: their names, defaults and help texts, and how they are read.

The setting `database_url` is the environment variable `XCOM_DATABASE_URL` and the option
`--database-url` of `xcom-server serve`.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from xcom_server import releases
from xcom_server.formats.strict_json import MAX_DEPTH
from xcom_server.service_links import is_service_link
from xcom_server.setting_values import CHOICES, PATTERNS, PREFIX, SettingsError, convert

__all__ = ["CHOICES", "PATTERNS", "PREFIX", "Settings", "SettingsError"]

_ALIASES = {"port": ("bind",), "host": ("bind",), "address": ("bind",)}  # for the hint only


def _setting(
    default: Any,
    help_text: str,
    *,
    least: float = 1,
    most: float = float("inf"),
    is_secret: bool = False,
) -> Any:
    """Return a field; a secret one is neither in the repr nor an option of the command."""
    metadata = {"help": help_text, "least": least, "most": most, "is_secret": is_secret}
    return field(default=default, repr=not is_secret, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a server, with their defaults and help texts.

    Durations are in seconds and sizes in bytes.  `docs/configuration.md` shows the same texts.
    """

    database_url: str = _setting(
        "sqlite:///xcom.db",
        "SQLAlchemy URL of the database. Tested with SQLite (sqlite:///FILE in WAL mode, or"
        " sqlite:// in memory with one worker) and PostgreSQL (postgresql+psycopg://…, which needs"
        " the extra `postgres`).",
    )
    create_database: bool = _setting(
        True,
        "Create a missing SQLite file and its tables when the server starts. A server that has"
        " started never creates them again. If false, only `xcom-server db upgrade` and `seed` do.",
    )
    seed: str = _setting(
        "",
        "Seed file, or folder of seed files (*.json), to load when the server starts with an empty"
        " database. A database that has a DAG, a run or an entry is left unchanged.",
    )
    airflow_version: str = _setting(
        releases.ALL,
        "Releases of Airflow to emulate, separated by a comma. With one of 2.10.5 (v1) and 3.3.2"
        " (v2), requests for the other API get what that Airflow responds, mostly a 404.",
    )
    require_parents: bool = _setting(
        False,
        "Return 404 for a write to an entry of an unknown DAG run or task instance, and for a new"
        " run of an unknown DAG. If false, these writes register what they name.",
    )
    deserialize: bool = _setting(
        False,
        "Allow `deserialize=true` in v1, as Airflow's [api] enable_xcom_deserialize_support does.",
    )
    maximum_page_limit: int = _setting(
        100,
        "Maximum number of items on a page in v1 and v2, as Airflow's [api] maximum_page_limit."
        " A larger `limit` is reduced to it.",
    )
    fallback_page_limit: int = _setting(
        100,
        "Number of items on a page in v1 for `limit=0`, as Airflow's [api] fallback_page_limit.",
    )
    allowed_run_id_pattern: str = _setting(
        "^[A-Za-z0-9_.~:+-]+$",
        "Regular expression for the ids of triggered DAG runs, as Airflow's [scheduler]"
        " allowed_run_id_pattern. `manual__` with a date in UTC and whole seconds is always"
        " allowed.",
    )
    scheduler_healthy: bool = _setting(
        True,
        "Report a healthy scheduler with a current heartbeat in health, because clients wait for"
        " it. This server has no scheduler; if false, health reports it as unhealthy.",
    )
    max_body_bytes: int = _setting(
        1024 * 1024,
        "Maximum size of a request body in bytes. A larger body gets a 413.",
    )
    max_json_depth: int = _setting(
        MAX_DEPTH,
        "Maximum nesting depth of the JSON in a request body. Deeper JSON gets a 400.",
        most=240,  # responses have up to three levels more, and Pydantic writes at most 254
    )
    max_response_bytes: int = _setting(
        16 * 1024 * 1024,
        "Maximum size of a response of the API in bytes, before compression. Instead of a larger"
        " one, the client gets a 507.",
        least=64 * 1024,
    )
    work_memory_bytes: int = _setting(
        96 * 1024 * 1024,
        "Memory in bytes per worker for requests with large JSON. If it is in use, such requests"
        " wait up to 2 seconds, and then get a 503.",
        least=1024 * 1024,
    )
    validate_responses: bool = _setting(
        False,
        "Check every response against the OpenAPI document, and return 500 instead of one that"
        " does not conform. Intended for tests.",
    )
    auth: str = _setting(
        "none",
        "Authentication: `users` requires credentials of a user in the users file, `any` takes any"
        " name and password; `none` ignores credentials. Every client is an admin with `any` and"
        " `none`, so `bind` must be loopback (with `any`, unless `emulator` is on).",
    )
    users: str = _setting(
        "",
        "Users for tests, instead of the users file: NAME:PASSWORD:ROLE, separated by commas, as in"
        " `ann:secret:op,ben:secret:viewer`. It sets `auth` to `users`. A password may contain"
        " colons, but no comma.",
        is_secret=True,
    )
    users_file: str = _setting(
        "xcom-users.json", "File with the users, written by `xcom-server user add`."
    )
    token_key_file: str = _setting(
        "xcom-token.key",
        "File with the key that signs v2 tokens (at least 64 bytes), created at the first start."
        " Servers behind one load balancer must share this file.",
    )
    token_lifetime_seconds: int = _setting(
        24 * 60 * 60,
        "Lifetime in seconds of a token from /auth/token. A token from /auth/token/cli expires"
        " after an hour at the latest.",
    )
    pool_size: int = _setting(
        10,
        "Maximum number of database connections per worker. If it is at least `threads`, no"
        " request waits for a connection.",
    )
    pool_timeout_seconds: float = _setting(
        1.0,
        "Seconds that a request waits for a connection from the pool before it gets a 503.",
        least=0.001,
    )
    connect_timeout_seconds: float = _setting(
        1.5,
        "Seconds for opening a database connection, over all hosts in the URL, before the request"
        " gets a 503.",
        least=0.001,
    )
    statement_timeout_seconds: float = _setting(
        1.5,
        "Seconds for a statement before the request gets a 503. 0 disables the time-out.",
        least=0.0,
    )
    lock_timeout_seconds: float = _setting(
        1.2, "Seconds that a write waits for other writers before it gets a 503.", least=0.001
    )
    prepared_statements: bool = _setting(
        True,
        "Use prepared statements on PostgreSQL. Set it to false for a connection pooler that does"
        " not support them.",
    )
    emulator: bool = _setting(
        False,
        "Serve the control plane at /_emulator/, with which tests reset the data, set the clock,"
        " inject faults and read the journal. Without a token, only loopback addresses are allowed"
        " in `bind`.",
    )
    emulator_token: str = _setting(
        "",
        "Token of at least 16 characters that every request to /_emulator/ must have, as a Bearer"
        " token or as the password of Basic credentials. With it, `bind` may be any address.",
        is_secret=True,
    )
    bind: str = _setting(
        "127.0.0.1:8080",
        "Address to listen on: HOST:PORT, unix:PATH or fd://N; `[::]:PORT` is every address, of"
        " IPv4 too. With `auth` set to `none`, only loopback addresses are allowed, and no Unix"
        " socket.",
    )
    port_file: str = _setting(
        "",
        "File into which the server writes its port once it listens, and which it removes when it"
        " stops. With port 0 in `bind`, the system chooses a free port.",
    )
    print_url: bool = _setting(
        False,
        "Print the URL of the server on standard output, as its only line there, once the server"
        " listens.",
    )
    base_path: str = _setting(
        "",
        "Path that every URL of the server begins with, such as /airflow, for a proxy that does not"
        " remove it. /live, /ready, /health and /metrics are also served without it.",
    )
    trusted_proxies: str = _setting(
        "",
        "Addresses and networks of proxies, separated by commas, whose headers X-Forwarded-For,"
        " -Proto, -Host and -Prefix are used; `unix` for peers with a Unix socket. From other peers"
        " they are ignored.",
    )
    allowed_hosts: str = _setting(
        "",
        "Names to accept in the Host header, besides loopback names and that in `bind`, separated"
        " by commas: a.example, *.a.example, 10.0.0.0/8, or * for all. If empty, all are accepted"
        " with `auth` set to `users`.",
    )
    allowed_origins: str = _setting(
        "",
        "Other sites whose pages may send writes, separated by commas: https://app.example, or *"
        " for all. This allows no CORS requests.",
    )
    workers: int = _setting(
        2,
        "Number of gunicorn worker processes. One per CPU core is a good choice.",
        most=256,  # thousands of processes, such as after a typing error, exhaust the memory
    )
    threads: int = _setting(
        4,
        "Number of threads per worker. Increase it and `pool_size`, to 16 for example, if a round"
        " trip to the database takes milliseconds.",
        most=1000,
    )
    balance_connections: bool = _setting(
        True,
        "Balance client connections between workers. If false, each connection goes to the worker"
        " that accepts it first.",
    )
    max_connections: int = _setting(
        1000,
        "Maximum number of client connections per worker. For one more, the connection that has"
        " waited longest for its client is closed. If the limit of open files is lower, the"
        " maximum is reduced.",
    )
    keep_alive_seconds: int = _setting(
        620,
        "Seconds that a connection without a request stays open. It should be longer than the"
        " idle time-out of clients and proxies. 0 closes connections after each response.",
        least=0,
    )
    head_timeout_seconds: float = _setting(
        10.0,
        "Seconds in which a client must send the request line and the headers before it gets a"
        " 408. A new connection that sends nothing is closed after this time.",
        least=0.001,
    )
    body_timeout_seconds: float = _setting(
        30.0, "Seconds in which a client must send a body before it gets a 408.", least=0.001
    )
    write_timeout_seconds: float = _setting(
        30.0,
        "Seconds that a client may read nothing of its response before the connection is reset.",
        least=0.001,
    )
    max_buffer_bytes: int = _setting(
        32 * 1024 * 1024,
        "Maximum size in bytes per worker of requests that are incomplete or wait for a thread,"
        " and of responses that clients have not read. Above it, the client that has waited longest"
        " is disconnected; up to twice the size, only after 1 second.",
    )
    max_requests: int = _setting(
        0,
        "Number of requests after which a worker is replaced, plus up to 10% at random. 0"
        " disables this.",
        least=0,
    )
    drain_seconds: int = _setting(
        1,
        "Seconds between SIGTERM and the time the server stops accepting connections. Meanwhile"
        " /ready returns 503; 0 stops at once.",
        least=0,
    )
    graceful_timeout_seconds: int = _setting(
        30, "Seconds after the drain in which requests in progress may finish."
    )
    metrics: bool = _setting(True, "Serve Prometheus metrics at /metrics.")
    log_format: str = _setting(
        "console", "Format of the log on standard error: `console` (text) or `json`."
    )
    log_requests: bool = _setting(
        False, "Log every request with its method, path, status and duration."
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings in the environment variables that start with `XCOM_`.

        Variables that Kubernetes or Docker sets for a service are ignored, and XCOM_USERS sets
        XCOM_AUTH.  Raises SettingsError for an unknown name, for a value of the wrong type or
        range, and for XCOM_USERS with another XCOM_AUTH than `users`.
        """
        given = {
            name.removeprefix(PREFIX).lower(): text
            for name, text in environ.items()
            if name.startswith(PREFIX) and not is_service_link(name, environ)
        }
        known = {spec.name: spec for spec in fields(cls)}
        for name in given.keys() - known.keys():
            close = _ALIASES.get(name) or difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {PREFIX}{close[0].upper()}?" if close else ""
            raise SettingsError(f"{PREFIX}{name.upper()} is not a setting.{hint}")
        values = {name: convert(known[name], text) for name, text in given.items()}
        if values.get("users") and (auth := values.setdefault("auth", "users")) != "users":
            raise SettingsError(
                f"XCOM_USERS requires credentials of its users, so XCOM_AUTH must not be {auth}."
            )
        return cls(**values)

    def to_env(self) -> dict[str, str]:
        """Return environment variables from which `from_env` makes equal settings."""
        return {PREFIX + spec.name.upper(): str(getattr(self, spec.name)) for spec in fields(self)}
