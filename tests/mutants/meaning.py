"""Code whose mutants say nothing about the tests: types, documentation and the texts of the log."""

import libcst as cst

_FOR_TYPES = ("TypeVar", "cast", "dataclass", "overload", "NewType")
_GENERICS = ("dict", "list", "tuple", "type", "set", "Callable", "Mapping", "Iterable", "Literal")
_LOG_METHODS = ("debug", "info", "warning", "error", "exception", "critical")
_FOR_PEOPLE = ("help", "metavar")
_NAMES = ("__slots__", "__all__")


def is_meaningless(node: cst.CSTNode) -> bool:
    """Return whether no mutant is made of a node and what is in it."""
    match node:
        case cst.Annotation() | cst.Import() | cst.ImportFrom():
            return True
        case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString() | cst.Ellipsis()):
            return True  # a docstring
        case cst.FunctionDef(name=cst.Name(value="__repr__")):
            return True
        case cst.If(test=cst.Name(value="TYPE_CHECKING")):
            return True
        case cst.Arg(keyword=cst.Name(value=name)) if name in _FOR_PEOPLE:
            return True
        case cst.DictElement(key=cst.SimpleString() as key):
            return key.evaluated_value in _FOR_PEOPLE
        case cst.Assign() | cst.AnnAssign():
            return _is_for_types(node)
        case cst.Call(func=func):
            return _name(func) in _FOR_TYPES or _is_log_call(node)
    return False


def documentation_in(node: cst.CSTNode) -> list[cst.CSTNode]:
    """Return the arguments of a call that are documentation: the help of a setting."""
    if isinstance(node, cst.Call) and _name(node.func) == "_setting":
        return [arg.value for arg in node.args[1:2]]
    return []


def _is_for_types(node: cst.Assign | cst.AnnAssign) -> bool:
    target = node.target if isinstance(node, cst.AnnAssign) else node.targets[0].target
    if _name(target) in _NAMES:
        return True
    value = node.value
    while isinstance(value, cst.BinaryOperation):
        value = value.left
    return isinstance(value, cst.Subscript) and _name(value.value) in _GENERICS


def _is_log_call(node: cst.Call) -> bool:
    """Return whether a call writes to the log.

    Its words do not matter; a mutant that drops the whole statement is made elsewhere.
    """
    return (
        isinstance(node.func, cst.Attribute)
        and node.func.attr.value in _LOG_METHODS
        and "log" in _name(node.func.value)
    )


def _name(node: cst.CSTNode | None) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""
