"""What the adapter relies on in Werkzeug; a failure names what changed and where to look."""

from typing import Any

import pytest
from werkzeug.routing import Map, Rule
from xcom_server.api.werkzeug_adapter import LazyRule


@pytest.mark.parametrize(
    "values", [{"rule": "a b", "n": 1}, {"rule": "x", "n": 2, "q": "extra"}, {"rule": "x", "n": 3}]
)
def test_lazy_rule_builds_the_same_url(values: dict[str, Any]) -> None:
    built = []
    for kind in (Rule, LazyRule):
        rule = kind("/<rule>/<int:n>", endpoint="e")
        urls = Map([rule]).bind("host")
        built.append([urls.build("e", values, append_unknown=unknown) for unknown in (True, False)])

    assert built[0] == built[1]


def test_url_builders_are_compiled_when_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    compile_builder = Rule._compile_builder

    def count(self: Rule, append_unknown: bool = True) -> Any:
        compiled.append(append_unknown)
        return compile_builder(self, append_unknown)

    monkeypatch.setattr(Rule, "_compile_builder", count)
    urls = Map([LazyRule("/<rule>", endpoint="e")]).bind("host")

    assert urls.match("/x") == ("e", {"rule": "x"})
    assert compiled == [], (
        "Werkzeug compiles URL builders in another way, so workers start more slowly: look at"
        " routing/rules.py (Rule.compile) and at LazyRule."
    )
    assert urls.build("e", {"rule": "x"}) == urls.build("e", {"rule": "x"}) == "/x"
    assert compiled == [True], "Werkzeug's builder was not compiled once, and only that one."
