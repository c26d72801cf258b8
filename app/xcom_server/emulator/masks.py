"""Masks for credentials, so that the journal contains none.

The expressions have limits of repetition, so that no text takes more than a few milliseconds.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

MASK = "***"
SCHEMES = ("basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey")

_WORDS = (
    r"passw(?:or)?d|passphrase|pass(?![a-z])|pwd|secret|token|api[-_]?key|access[-_]?key"
    r"|private[-_]?key|credential|authorization|auth(?![a-z])|cookie|session|jwt"
)
_SECRET = re.compile(_WORDS, re.IGNORECASE)
_SECRET_HEADER = re.compile(rf"{_WORDS}|auth|key|signature", re.IGNORECASE)
_HINTS = (  # in lower case; searching for all of them takes a tenth of the time of an expression
    *("pass", "pwd", "secret", "token", "credential", "auth", "cookie", "session", "jwt"),
    *("apikey", "api_key", "api-key", "accesskey", "access_key", "access-key"),
    *("privatekey", "private_key", "private-key"),
)
_IN_NAME = r"""[^"'\\]{0,100}"""
_MEMBER = re.compile(  # of JSON, also inside of a string, of a Python dict, and cut off
    rf"""(\\{{0,9}}["'])({_IN_NAME}(?:{_WORDS}){_IN_NAME})\1(\s{{0,9}}:\s{{0,9}})
    (?: \1 (?:(?!\1)(?:\\[\s\S]|[\s\S]))* (?:\1|$)
      | [\[{{] [^\]}}]* [\]}}]?
      | [^\s,\]}}]+ )""",
    re.IGNORECASE | re.VERBOSE,
)
_IN_PARAMETER = r"""[^=&;,\s?"']{0,100}"""
_PARAMETER = re.compile(  # of a query or a form; a "?" may be escaped by mistake
    rf"((?:^|[?&;,\s]|%3F|%26){_IN_PARAMETER}(?:{_WORDS}){_IN_PARAMETER}=)[^&;,\s\"']+",
    re.IGNORECASE,
)
_PART = re.compile(  # of a multipart form
    rf'(name="?[^"\r\n]{{0,100}}(?:{_WORDS})[^\r\n]{{0,100}}\r?\n'
    r"(?:[^\r\n]{1,200}\r?\n){0,5}\r?\n)[\s\S]*?(?=\r?\n--|$)",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"((?:^|:)//)[^/?#\s]*@")
_JWT = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*){0,4}")
_CREDENTIALS = re.compile(rf"\b({'|'.join(SCHEMES)})\s+[^\s,;\"']+", re.IGNORECASE)


def scheme(authorization: str) -> str:
    """Return the scheme of an Authorization header in lower case, empty without the header.

    One that is not known is "other", since it can be a token.
    """
    word = authorization.strip().partition(" ")[0].lower()
    return word if not word or word in SCHEMES else "other"


def header(name: str, value: str) -> str:
    """Return the value of a header with its credentials masked; their scheme is kept."""
    if name.lower() == "cookie":
        names = [each.partition("=")[0].strip() for each in value.split(";") if "=" in each]
        return "; ".join(f"{each}={MASK}" for each in names) or MASK
    if _SECRET_HEADER.search(name):
        word = value.strip().partition(" ")[0]
        return f"{word} {MASK}" if word.lower() in SCHEMES else MASK
    return _CREDENTIALS.sub(rf"\1 {MASK}", text(value))


def query(raw: str) -> str:
    """Return a query string with the values of secret parameters masked; their names are kept."""
    if "=" in raw:
        raw = re.sub(r"[^&;]+", lambda each: _parameter(each[0]), raw)
    return text(raw)


def text(of: str) -> str:
    """Return a text with the secrets in JSON, forms, URLs and tokens masked; it may be cut off."""
    lowered = of.lower()
    if any(map(lowered.__contains__, _HINTS)):
        of = _PARAMETER.sub(rf"\1{MASK}", _MEMBER.sub(rf"\1\2\1\3\1{MASK}\1", of))
        of = _PART.sub(rf"\1{MASK}", of)
    if "eyj" in lowered:
        of = _JWT.sub(MASK, of)
    return _USER_INFO.sub(rf"\1{MASK}@", of) if "//" in of and "@" in of else of


def login(body: str) -> str:
    """Return the body of a login, JSON or a form, with all values but the user name masked."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return _login_form(body) or (body and MASK)
    if not isinstance(data, dict):
        return MASK
    return json.dumps({name: _login_value(name, value) for name, value in data.items()})


def _login_form(body: str) -> str:
    """Return a form with its values masked; empty for a text that is not a form."""
    try:
        pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return ""
    are_names = all(re.fullmatch(r"\w{1,30}", name) for name, _ in pairs)
    return "&".join(f"{name}={_login_value(name, value)}" for name, value in pairs if are_names)


def _login_value(name: str, value: Any) -> Any:
    is_shown = name == "username" and isinstance(value, str)
    return value if is_shown or value is None or value == "" else MASK


def _parameter(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{name}={MASK}" if value and _SECRET.search(unquote_plus(name)) else pair
