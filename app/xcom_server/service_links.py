"""The environment variables that Kubernetes and Docker links set for a service.

A service `xcom` adds `XCOM_PORT=tcp://10.0.0.1:8080` and others to every pod of its namespace, and
a service `xcom-ui` adds `XCOM_UI_PORT=…`.  They begin like settings, but are none.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address

_URL = re.compile(r"(?:tcp|udp|sctp)://(?P<host>.+):(?P<port>[0-9]{1,5})")
_PORT = re.compile(r"[0-9]{1,5}")
_LINK_NAME = re.compile(r"/[^/]+/[^/]+")  # of Docker: the container and the alias
_PROTOCOL = "(?:TCP|UDP|SCTP)"
_ENDINGS = (  # of names, and the kind of their values
    ("SERVICE_HOST", "address"),
    (r"SERVICE_PORT(?:_\w+)?", "port"),
    (rf"PORT(?:_[0-9]+_{_PROTOCOL}(?:_START|_END)?)?", "url"),
    (rf"PORT_[0-9]+_{_PROTOCOL}_ADDR", "address"),
    (rf"PORT_[0-9]+_{_PROTOCOL}_PORT(?:_START|_END)?", "port"),
    (rf"PORT_[0-9]+_{_PROTOCOL}_PROTO", "protocol"),
    ("NAME", "link"),
    (r"ENV_\w+", "variable"),
)
_PATTERNS = tuple((re.compile(rf"(?P<service>\w+?_){end}"), kind) for end, kind in _ENDINGS)


def is_service_link(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether a variable has a name and a value that only a service link has."""
    for pattern, kind in _PATTERNS:
        found = pattern.fullmatch(name)
        if found and _is_of_kind(kind, environ[name], environ.get(f"{found['service']}NAME", "")):
            return True
    return False


def _is_of_kind(kind: str, text: str, link: str) -> bool:
    match kind:
        case "url":
            found = _URL.fullmatch(text)
            return found is not None and _is_address(found["host"].strip("[]"))
        case "port":
            return _PORT.fullmatch(text) is not None
        case "address":
            return _is_address(text)
        case "protocol":
            return text in ("tcp", "udp", "sctp")
        case _:  # a name, or a variable of the linked container, which may have any value
            return _LINK_NAME.fullmatch(link) is not None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
