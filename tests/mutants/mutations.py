"""Every way to mutate a source file: mutmut's operators, and a few of our own.

mutmut itself is not run: it calls mutants through wrappers, which hide the signatures that
Connexion and click read, and it forks, which does not reach servers in other processes.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

from tests.mutants import meaning

Operator = Callable[[Any], Iterable[cst.CSTNode]]


@dataclass(frozen=True)
class Site:
    """A node of a file, and one operator that can mutate it; several mutants may come of it."""

    path: Path
    operator: str
    line: int
    statement: range  # the lines of the statement that the node is in, as far as the node's end
    runs_on_import: bool
    module: cst.Module
    node: cst.CSTNode
    alternatives: list[cst.CSTNode]

    def code(self, alternative: cst.CSTNode) -> str:
        """Return the source of the file with one mutation."""
        if isinstance(alternative, cst.RemovalSentinel):
            raise TypeError("a mutation replaces a node")
        mutated = self.module.deep_replace(self.node, alternative)
        assert isinstance(mutated, cst.Module)
        return mutated.code


def sites(path: Path, source: str) -> list[Site]:
    """Return what can be mutated in a file, in the order of the source."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = _Visitor(path, wrapper.module)
    wrapper.visit(visitor)
    return visitor.sites


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that a mutation took away and those that it put in their place."""
    diff = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return (
        [line[2:].strip() for line in diff if line.startswith("- ")],
        [line[2:].strip() for line in diff if line.startswith("+ ")],
    )


def _text_of_formatted_string(node: cst.FormattedStringText) -> Iterable[cst.CSTNode]:
    yield node.with_changes(value=f"XX{node.value}XX")


def _first_of_string(node: cst.SimpleString) -> Iterable[cst.CSTNode]:
    """Add letters to a string; the case of SQL and of headers' names has no meaning."""
    yield from list(operator_string(node))[:1]


def _drop_statement(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    if isinstance(node, cst.Raise) or isinstance(getattr(node, "value", None), cst.Call):
        yield cst.Pass()


def _return_none(node: cst.Return) -> Iterable[cst.CSTNode]:
    """Return None instead of a value; for False, callers would not notice."""
    if node.value is not None and getattr(node.value, "value", None) not in ("None", "False"):
        space = cst.SimpleWhitespace(" ")
        yield node.with_changes(value=cst.Name("None"), whitespace_after_return=space)


def _negate_condition(node: cst.If | cst.While) -> Iterable[cst.CSTNode]:
    test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(test=cst.UnaryOperation(operator=cst.Not(), expression=test))


_OPERATORS: list[tuple[type, Operator]] = [
    *((kind, each) for kind, each in mutation_operators if each is not operator_string),
    (cst.SimpleString, _first_of_string),
    (cst.FormattedStringText, _text_of_formatted_string),
    (cst.Expr, _drop_statement),
    (cst.Raise, _drop_statement),
    (cst.Return, _return_none),
    (cst.If, _negate_condition),
    (cst.While, _negate_condition),
]


class _Visitor(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, path: Path, module: cst.Module) -> None:
        super().__init__()
        self.sites: list[Site] = []
        self._path = path
        self._module = module
        self._statements: list[int] = []
        self._functions = 0
        self._documentation: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._is_left_out(node):
            return False
        self._documentation += meaning.documentation_in(node)
        if isinstance(node, cst.BaseStatement | cst.SimpleStatementLine):
            self._statements.append(self.get_metadata(PositionProvider, node).start.line)
        self._add(node)
        self._functions += isinstance(node, cst.FunctionDef | cst.Lambda)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if self._is_left_out(original_node):
            return
        if isinstance(original_node, cst.BaseStatement | cst.SimpleStatementLine):
            self._statements.pop()
        self._functions -= isinstance(original_node, cst.FunctionDef | cst.Lambda)

    def _is_left_out(self, node: cst.CSTNode) -> bool:
        is_documentation = any(node is each for each in self._documentation)
        return is_documentation or meaning.is_meaningless(node)

    def _add(self, node: cst.CSTNode) -> None:
        for kind, operator in _OPERATORS:
            if not isinstance(node, kind):
                continue
            alternatives = list(operator(node))
            if alternatives:
                position = self.get_metadata(PositionProvider, node)
                end = (
                    position.start.line
                    if isinstance(node, cst.If | cst.While)
                    else position.end.line
                )
                self.sites.append(
                    Site(
                        self._path,
                        operator.__name__.removeprefix("operator_").strip("_"),
                        position.start.line,
                        range(self._statements[-1], end + 1),
                        not self._functions,
                        self._module,
                        node,
                        alternatives,
                    )
                )
