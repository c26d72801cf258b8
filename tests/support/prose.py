"""A linter for the style of CONTRIBUTING.md: `python -m tests.support.prose [FILE…]`.

It reads Markdown without code, and the comments and docstrings of Python.
"""

import os
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

STYLE = {
    r"(?<!\bthere )\b(?:is|are|was) no (?!longer\b|more\b|less\b|matter\b|different\b)": "is not a",
    r"(?<!\bthat )(?<!leave )(?<!let )(?<!left )\w+ alone(?=[,.;:)]|$)": "only",
    r"\b(?:is|are|was|were|be|being) told\b": "receives, gets a 503",
    r"\bwho(?:m|so)?ever\b|\bthose who\b|\bsomebody\b|\bnobody\b": "the client, no worker",
    r"\bthat there (?:is|are)\b|\bwhat there (?:is|are)\b": "existing",
    r"\bof (?:one|another|that|this|the same) moment\b|\bat the moment\b": "time, timestamp, now",
    r"\btakes? turns\b|\bin turns\b|\bwhose turn\b": "lock, round robin",
    r"\bmeets? (?:a|an|another|the)\b": "receives, satisfies",
    r"\bwhile it lasts\b": "during the outage",
    r"\blooks? after\b": "manage",
    r"\bas it comes\b|\bas they come\b": "by default",
    r"\b(?:read|written|write) over\b": "ignore, overwrite",
    r"\bto the letter\b": "exactly",
    r"\bif you like\b": "optional",
    r"\bdoes without\b|\bdo without\b|\bwith(?:out)? of its own\b": "does not need",
    r"\bin silence\b|\bis silent\b|\bin vain\b": "does not respond, without effect",
    r"\bcome (?:in|again)\b": "log in, retry",
    r"\bbeyond loopback\b": "on other addresses",
    r"\b(?:server|database|client|worker)s? (?:asks?|tells?|hears?|wants?|knows?|says?)\b": (
        "requests, returns, reports, requires, has"
    ),
}
PATTERNS = {re.compile(pattern, re.IGNORECASE): better for pattern, better in STYLE.items()}
EXEMPT = ("CONTRIBUTING.md", "LICENSE", "docs/decisions/0010-", "tests/support/prose.py")


def markdown_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines outside code blocks, without inline code, links' targets and comments."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)|<!--.*?-->", "", line)


def python_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of comments and of strings that stand alone: docstrings."""
    at_start = True
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
            elif token.type == tokenize.STRING and at_start:
                for offset, line in enumerate(token.string.splitlines()):
                    yield token.start[0] + offset, re.sub(r"`[^`]*`", "", line)
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                at_start = token.type in (
                    tokenize.NEWLINE,
                    tokenize.INDENT,
                    tokenize.DEDENT,
                    tokenize.ENCODING,
                )


def findings(path: Path) -> Iterator[str]:
    """Yield `file:line: phrase -> better` for each pattern that a file contains."""
    python = path.suffix == ".py"
    lines = python_lines(path) if python else markdown_lines(path.read_text(encoding="utf-8"))
    for number, line in lines:
        for pattern, better in PATTERNS.items():
            for match in pattern.finditer(line):
                yield f"{path}:{number}: {match[0].strip()!r} -> {better}"


def tracked() -> Iterator[Path]:
    """Yield the Markdown and Python files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if not name.startswith(EXEMPT) and (ROOT / name).exists():
            yield Path(os.path.relpath(ROOT / name))


def main(names: list[str]) -> int:
    """Print what is found; return 1 if anything is."""
    files = [Path(name) for name in names] or list(tracked())
    found = [line for path in files for line in findings(path)]
    print("\n".join(found) if found else f"{len(files)} files, nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
