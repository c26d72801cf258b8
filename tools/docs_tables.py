"""Tables of the documentation, printed by cog; `make docs-generate` updates the pages.

The settings come from the code and the operations from the OpenAPI documents.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import yaml
from xcom_server.settings import CHOICES, PREFIX, Settings

MARK = "x-added-in"
METHODS = ("get", "post", "put", "patch", "delete")
_OPENAPI = Path(__file__).parents[1] / "openapi"
_KINDS = {bool: "boolean", int: "integer", float: "seconds", str: "text"}


def print_settings(*names: str) -> None:
    """Print a table of these settings: variable, type, default, and the help of `--help`."""
    known = {each.name: each for each in fields(Settings)}
    _print_table(
        ("variable", "type", "default", "description"),
        (
            (
                f"`{PREFIX}{name.upper()}`",
                _kind(known[name]),
                f"`{text}`" if (text := _text(known[name].default)) else "empty",
                _cell(known[name].metadata["help"]),
            )
            for name in names
        ),
    )


def _kind(setting: "Field[Any]") -> str:
    if setting.name in CHOICES:
        return " or ".join(f"`{choice}`" for choice in CHOICES[setting.name])
    return _KINDS[type(setting.default)]


def _text(default: Any) -> str:
    """Return a default as an environment variable holds it."""
    return str(default).lower() if isinstance(default, bool) else str(default)


def print_operations(version: str) -> None:
    """Print a table of a document's operations, with the release that added each element."""
    _print_table(
        ("operationId", "request", "parameters", "status codes", "added in"),
        _operation_rows(_document(version)),
    )


def _operation_rows(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    base = document.get("servers", [{"url": ""}])[0]["url"].rstrip("/")
    for path, method, item, operation in _operations(document):
        parameters = _parameters(document, item, operation)
        responses = {
            status: _resolved(document, each) for status, each in operation["responses"].items()
        }
        yield (
            f"`{operation['operationId']}`",
            f"`{method.upper()} {_short(base + path)}`",
            _by_release([(f"`{each['name']}`", _release(each)) for each in parameters]),
            _by_release([(status, _release(each)) for status, each in sorted(responses.items())]),
            _release(operation),
        )


def _by_release(elements: list[tuple[str, str]]) -> str:
    """Return a cell with a line for each release, in order; the first design comes first."""
    lines: dict[str, list[str]] = {}
    for text, release in sorted(elements, key=lambda element: _order(element[1])):
        lines.setdefault(release, []).append(text)
    return "<br>".join(
        (f"{release}: " if release else "") + ", ".join(texts) for release, texts in lines.items()
    )


def _order(release: str) -> list[int]:
    """Return a sort key of a release; extensions come last."""
    return [int(part) for part in release.split(".") if part.isdigit()] or (
        [1000] if release else []
    )


def _short(path: str) -> str:
    """Return a path with `…` for the part that all entries have in common."""
    return re.sub(r"^/api/v\d/dags/.*/xcomEntries", "…/xcomEntries", path)


def _operations(
    document: dict[str, Any],
) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item, item[method]


def _parameters(
    document: dict[str, Any], item: dict[str, Any], operation: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the parameters of an operation in query and headers; those of the path are in it."""
    for each in [*item.get("parameters", []), *operation.get("parameters", [])]:
        parameter = _resolved(document, each)
        if parameter["in"] != "path":
            yield parameter


def _resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    _, _, kind, name = node["$ref"].split("/")  # as in #/components/parameters/DagId
    found: dict[str, Any] = document["components"][kind][name]
    return found


def _release(node: dict[str, Any]) -> str:
    return str(node.get(MARK, ""))


def _document(version: str) -> dict[str, Any]:
    text = (_OPENAPI / f"{version}.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    print()  # Markdown needs a blank line between a comment and a table
    for cells in (head, ("---",) * len(head), *rows):
        print("| " + " | ".join(cells) + " |")
    print()
