"""The sampler of mutants: the same mutants for a seed, valid code, none without a meaning."""

import ast
import json
from itertools import islice
from pathlib import Path

import pytest

from tests.mutants import run
from tests.mutants.mutations import changed_lines, sites

pytestmark = pytest.mark.slow

PATH = Path("app/xcom_server/example.py")


def mutants(source: str) -> set[str]:
    """Return the lines that mutants of a source put in place of others."""
    found = set()
    for site in sites(PATH, source):
        for alternative in site.alternatives:
            code = site.code(alternative)
            ast.parse(code)
            found.add(" ".join(changed_lines(source, code)[1]))
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if a < b:\n    pass\n", {"if a <= b:", "if not (a < b):"}),
        ("raise Error\n", {"pass"}),
        ("close()\n", {"pass"}),
        ("def f():\n    return x\n", {"return None"}),
        ("def f():\n    return None\n", set()),
        ("def f():\n    return False\n", {"return True"}),
        ("f('text')\n", {"pass", "f('XXtextXX')", "f(None)"}),
        ("x = f'a{b}'\n", {"x = None", "x = f'XXaXX{b}'"}),
    ],
)
def test_statement_is_mutated_in_each_way(source: str, expected: set[str]) -> None:
    assert mutants(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""\n',
        'x: "int"\n',
        "Rows = list[int] | None\n",
        "from a import b\n",
        "__all__ = ['a']\n",
        "def f(a: dict[str, 'T']) -> 'T': ...\n",
        "if TYPE_CHECKING:\n    x = 1\n",
        "def __repr__(self):\n    return 'a'\n",
        "@dataclass(frozen=True)\nclass A: ...\n",
    ],
)
def test_code_without_a_behavior_is_not_mutated(source: str) -> None:
    assert mutants(source) == set()


def test_log_line_is_dropped_but_its_words_are_not_changed() -> None:
    assert mutants("_log.info('the words %s', a)\n") == {"pass"}


def test_help_text_is_not_changed() -> None:
    assert mutants("f(name='a', help='words')\n") >= {"f(name='XXaXX', help='words')"}
    assert not any("XXwordsXX" in line for line in mutants("f(name='a', help='words')\n"))


def test_help_of_a_setting_is_not_changed() -> None:
    found = mutants("bind: str = _setting('a', 'some' ' help', least=1)\n")

    assert "bind: str = _setting('XXaXX', 'some' ' help', least=1)" in found
    assert not any("XXsomeXX" in line or "XX helpXX" in line for line in found)


def test_seed_gives_the_same_mutants_again() -> None:
    one, again, other = (
        [(each.place, each.after) for each in islice(run.sample(seed, "formats"), 20)]
        for seed in ("a", "a", "b")
    )

    assert one == again
    assert one != other
    assert all(place.startswith("app/xcom_server/formats/") for place, _ in one)


def test_mutant_that_was_judged_equivalent_is_not_sampled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = next(run.sample("a", "formats"))
    removed, added = changed_lines(first.before, first.after)
    monkeypatch.setattr(run, "EQUIVALENT", tmp_path / "equivalent.json")
    run.EQUIVALENT.write_text(
        json.dumps(
            [
                {
                    "file": str(first.site.path),
                    "before": " ".join(removed),
                    "after": " ".join(added),
                    "reason": "",
                }
            ]
        )
    )

    assert next(run.sample("a", "formats")).after != first.after


def test_report_has_the_share_of_each_package_and_the_survivors() -> None:
    killed, survived = islice(run.sample("a", "formats"), 2)
    verdicts = [
        run.Verdict(killed, "tests/formats/test_strict_json.py::test_a", 1.0),
        run.Verdict(survived, "", 1.0),
    ]

    text = run.report(verdicts)

    assert "formats            1 of    2" in text
    assert "50.0 %" in text
    assert f"survived: {survived.place}" in text
    assert f"survived: {killed.place}" not in text
