"""An OpenAPI document as Connexion uses it, resolved once in a process.

tests/api/test_connexion_adapter.py tests each assumption about Connexion.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any, Self

from connexion.spec import OpenAPISpecification


class Specification(OpenAPISpecification):  # type: ignore[misc]
    """An OpenAPI document with every `$ref` resolved, which many instances of SpecApi can use.

    If `any_text` is true, every parameter in a path may be any text without a slash.
    """

    def __init__(self, document: Mapping[str, Any], any_text: bool) -> None:
        paths = {_rule(path, any_text): item for path, item in document["paths"].items()}
        # With `security`, Connexion would check credentials first, and v1 must not.
        super().__init__({**document, "paths": paths, "security": []})

    @classmethod
    def _validate_spec(cls, spec: dict[str, Any]) -> None:
        """Skip the validation, which takes 50 ms and is not needed.

        The document ships with the server, and tests/contract validates it.
        """

    def copy(self) -> Self:
        """Return a copy for one SpecApi; Connexion appends the parameters of a path to its own.

        It has no components: Connexion would add them to the schemas of the bodies, which all
        copies share, and which would then contain themselves.
        """
        copied = copy.copy(self)
        paths = {path: _with_own_parameters(item) for path, item in self["paths"].items()}
        copied._raw_spec = {}  # the document as it was, which Connexion would serve
        copied._spec = {**self._spec, "paths": paths, "components": {}}
        return copied


def _with_own_parameters(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {**part, "parameters": [*part.get("parameters", [])]}
        if isinstance(part, dict)
        else part
        for name, part in item.items()
    }


def _rule(path: str, any_text: bool) -> str:
    """Return a path of the document with Flask's syntax for an XCom key, which may be any text.

    If `any_text` is true, the other parameters get it too, and match any text without a slash.
    """
    rule = re.sub(r"\{((?:xcom_)?key)\}$", r"<key:\1>", path)
    return re.sub(r"\{(\w+)\}", r"<\1>", rule) if any_text else rule
