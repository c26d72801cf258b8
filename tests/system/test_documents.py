"""Links between the documents resolve, and the tests and files that they show exist and work."""

import re
from pathlib import Path

import pytest
from xcom_server import __version__, seed_file
from xcom_server.seed_file import rows

from tests.support.paths import ROOT

FOLDERS = (
    ".",
    ".github",
    "bench",
    "docs",
    "docs/decisions",
    "openapi",
    "tests/faults",
    "tests/parity",
)
# headings of the changelog, and sections of Airflow's configuration
PLAIN_BRACKETS = {"Unreleased", __version__, "api", "scheduler"}
DOCUMENTS = [
    path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_between_documents_resolve(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / document.parent / target).exists(), f"{document} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_reference_links_are_defined(document: Path) -> None:
    """Brackets outside code that are not an inline link are a reference link."""
    text = (ROOT / document).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```|<!--.*?-->|`[^`]*`", "", text, flags=re.DOTALL | re.MULTILINE)
    definition = re.compile(r"^\[([^\]]+)\]: \S+$", re.MULTILINE)
    defined = set(definition.findall(text))
    used = re.findall(r"\[([^\[\]]*[^\[\]\s])\](?:\[([^\[\]]*)\])?(?!\()", definition.sub("", text))

    names = {" ".join((reference or label).split()) for label, reference in used}
    assert names - defined - PLAIN_BRACKETS == set()


def test_tests_named_by_differences_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "differences.md").read_text()))
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert named
    assert {name for name in named if f"def {name}(" not in source} == set()


def test_seed_files_of_the_seeding_page_can_be_loaded() -> None:
    text = (ROOT / "docs" / "seeding.md").read_text(encoding="utf-8")
    files = [seed_file.read(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]

    assert [len(rows) for rows in files] == [1, 1, 1]


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("field", rows.ENTRY_FIELDS),
        ("field of a DAG run", rows.RUN_FIELDS),
        ("field of a task instance", rows.TASK_INSTANCE_FIELDS),
        ("field of a DAG", rows.DAG_FIELDS),
        ("field of a task", rows.TASK_FIELDS),
    ],
)
def test_seeding_page_lists_every_field(heading: str, fields: set[str]) -> None:
    text = (ROOT / "docs" / "seeding.md").read_text(encoding="utf-8")
    table = text.split(f"| {heading} | meaning |\n", 1)[1].split("\n\n", 1)[0]
    names = re.findall(r"^\| ((?:`\w+`[ or]*)+) \|", table, re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", " ".join(names))) == fields


def test_reasons_of_ready_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    source = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    reasons = re.findall(r"^\| `(The .*?)` \|", text, re.MULTILINE)

    assert len(reasons) == 10
    assert [reason for reason in reasons if f'"{reason}"' not in source] == []


def test_changelog_has_this_version_with_its_date() -> None:
    headings = re.findall(
        r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])
