"""docs/rules.md has a section for every rule, with its level and its sentence."""

import re

from xcom_server.emulator.rules import RULES

from tests.support.paths import ROOT

PAGE = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^### `([\w-]+)`\n\n(\w+): (.*?)\n\n((?:[*] .*\n(?:  .*\n)*)+)", re.MULTILINE)


def test_every_rule_has_a_section() -> None:
    sections = {
        name: (level.lower(), sentence) for name, level, sentence, _ in SECTION.findall(PAGE)
    }

    assert sections == {rule.id: (rule.level, rule.sentence) for rule in RULES}
    assert PAGE.count("\n### ") == len(RULES)


def test_every_section_has_what_was_sent_what_airflow_does_and_what_to_send() -> None:
    for name, _, _, points in SECTION.findall(PAGE):
        starts = [each.partition(":")[0] for each in re.findall(r"^\* (.*)", points, re.MULTILINE)]
        both = ["Sent", "Airflow 2", "Airflow 3", "Instead"]
        assert starts in (both, ["Sent", "Airflow 2 and 3", "Instead"]), name
