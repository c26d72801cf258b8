"""What the server changes in Werkzeug.  tests/api/test_werkzeug_adapter.py tests the assumption."""

import functools
from collections.abc import Callable

from werkzeug.routing import Rule

Build = Callable[..., tuple[str, str]]


class LazyRule(Rule):
    """A route whose functions that build URLs are compiled when they are first called.

    Werkzeug compiles two for each route, which takes a third of the start of a worker, and the
    server builds no URLs of its API.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Build:
        compiled = functools.cache(functools.partial(super()._compile_builder, append_unknown))

        def build(rule: Rule, /, **values: object) -> tuple[str, str]:
            return compiled()(rule, **values)

        return build
