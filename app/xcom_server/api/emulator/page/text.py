"""Texts of clients on the page: characters that are invisible or change the layout are escaped.

Entries, paths, headers and bodies are written by anyone. A right-to-left override reorders the text
around it, a zero-width space hides in a key, and combining marks cover the lines above. The page
shows such characters as escapes of JSON, such as `\\u202e`. HTML is escaped by Jinja2.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

from markupsafe import Markup
from markupsafe import escape as html_escape

MAX_MARKS = 3  # combining marks on one character; more are escaped

_PLAIN = re.compile(r"[ -~]*")
_HIDDEN = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"))
_MARKS = frozenset(("Mn", "Me"))
# Letters without a shape, which are in no category of their own, and blank Braille.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u180b\u180c\u180d\u180f")
_LINES = frozenset("\n\t")
_ESCAPE = Markup("<span class=esc>{}</span>")


def visible(text: str) -> str:
    """Return a text with its hidden characters as escapes, for attributes and short texts."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(part for part, _ in parts(text))


def marked(text: str, *, lines: bool = False) -> Markup:
    """Return a text as HTML, with each escape of a hidden character in an element of its own.

    With `lines`, line breaks and tabs are kept.
    """
    if _PLAIN.fullmatch(text):
        return html_escape(text)
    return Markup().join(
        _ESCAPE.format(part) if is_escape else part
        for part, is_escape in parts(text, _LINES if lines else frozenset())
    )


def path(text: str) -> Markup:
    """Return a path as HTML, which a browser breaks at slashes if it is too long for a line."""
    return Markup("/<wbr>").join(marked(each) for each in text.split("/"))


def start(text: str, limit: int) -> str:
    """Return the start of a text whose length on the page, with escapes, is at most `limit`."""
    length = position = 0
    for part, is_escape in parts(text[:limit]):
        if length + len(part) > limit:
            return text[: position + (0 if is_escape else limit - length)]
        length += len(part)
        position += 1 if is_escape else len(part)
    return text[:limit]


def escape_of(character: str) -> str:
    """Return the escape of a character, as in JSON; above U+FFFF as in JavaScript."""
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\u{{{number:x}}}"


def parts(
    text: str, kept: frozenset[str] = frozenset(), escape: Callable[[str], str] = escape_of
) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, and whether each is the escape of one character.

    The characters in `kept` are not escaped.
    """
    start = marks = 0
    for position, character in enumerate(text):
        marks = marks + 1 if unicodedata.category(character) in _MARKS else 0
        if marks > MAX_MARKS or _is_hidden(character, kept):
            yield text[start:position], False
            yield escape(character), True
            start = position + 1
    yield text[start:], False


def _is_hidden(character: str, kept: frozenset[str]) -> bool:
    if character == " " or character in kept:
        return False
    return character in _BLANK or unicodedata.category(character) in _HIDDEN
