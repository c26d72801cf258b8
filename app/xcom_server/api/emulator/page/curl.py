"""The command that repeats a request of the journal with curl."""

import shlex
from collections.abc import Iterator, Mapping

from xcom_server.api.emulator.page.text import parts

# curl sets these itself, or the journal does not have them. With the length of a cut body, the
# server would wait for the rest.
_NOT_SENT = frozenset(
    ("host", "content-length", "connection", "transfer-encoding", "expect", "accept-encoding")
) | {"authorization", "cookie"}
_CREDENTIALS = {"basic": ("--user", "$AIRFLOW_USER"), "bearer": ("--oauth2-bearer", "$TOKEN")}


def command(
    base_url: str, method: str, target: str, headers: Mapping[str, str], scheme: str, body: str
) -> str:
    """Return a command for bash and zsh that sends a request again.

    `target` is the path with the query, as it was sent. The credentials of the request are not
    stored, so the command reads those of the scheme `basic` from $AIRFLOW_USER (NAME:PASSWORD)
    and of `bearer` from $TOKEN. The command contains no characters that are invisible.
    """
    words = ["curl --globoff --path-as-is", *_method(method, body), _quoted(base_url + target)]
    if scheme in _CREDENTIALS:
        option, variable = _CREDENTIALS[scheme]
        words.append(f'{option} "{variable}"')
    words.extend(f"--header {_quoted(each)}" for each in _header_lines(headers, bool(body)))
    if body and method != "HEAD":
        words.append(f"--data-raw {_quoted(body)}")
    return " \\\n  ".join(words)


def _method(method: str, body: str) -> list[str]:
    """Return the option for the method; with `--request HEAD`, curl would wait for a body."""
    if method == "HEAD":
        return ["--head"]
    return [] if method == "GET" and not body else [f"--request {_quoted(method)}"]


def _header_lines(headers: Mapping[str, str], has_body: bool) -> Iterator[str]:
    """Yield the headers to send, and without a value those that curl must not add."""
    names = {name.lower() for name in headers}
    for name, value in headers.items():
        if name.lower() not in _NOT_SENT:
            yield f"{name}: {value}" if value else f"{name};"
    for name in ("User-Agent", "Accept", *(["Content-Type"] if has_body else [])):
        if name.lower() not in names:
            yield f"{name}:"


def _quoted(text: str) -> str:
    """Return a word of the shell; hidden characters are escapes of their bytes in $'…'."""
    words = list(parts(text, escape=_as_bytes))
    if not any(is_escape for _, is_escape in words):
        return shlex.quote(text)
    return (
        "$'" + "".join(each if is_escape else _in_quotes(each) for each, is_escape in words) + "'"
    )


def _in_quotes(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _as_bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
