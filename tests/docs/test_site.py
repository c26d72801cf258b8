"""The documentation: its site, its links, and its generated tables."""

import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.commands import run
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

REPOSITORY = "https://github.com/xcom-server/xcom-server"
CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
PAGES = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
BIN = Path(sys.executable).parent


class Page(HTMLParser):
    """The ids, links and loaded resources of an HTML page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if "href" in given:
            (self.links if tag == "a" else self.resources).append(given["href"])
        if "src" in given:
            self.resources.append(given["src"])


def nav_pages(entry: Any) -> Iterator[str]:
    """Yield the pages of the navigation, in order."""
    if isinstance(entry, str):
        yield entry
    else:
        for each in entry.values() if isinstance(entry, dict) else entry:
            yield from nav_pages(each)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the built site; a link that the builder cannot follow is an error."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    built = run(str(BIN / "zensical"), "build", "--strict", cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


def test_every_link_resolves(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("index.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links + page.resources:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchors = pages[target].ids if target in pages else set()
            if not target.is_file() or (parts.fragment and parts.fragment not in anchors):
                broken.append((str(path.relative_to(site)), link))

    assert len(pages) == len(PAGES)
    assert broken == []


def test_site_loads_nothing_from_another_host(site: Path) -> None:
    resources = {each for path in site.rglob("*.html") for each in Page(path).resources}

    assert resources
    assert {each for each in resources if urlsplit(each).netloc} == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_page_links_to_the_repository_by_its_url(page: Path) -> None:
    """A relative link to a file outside docs/ works in the repository and not on the site."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for inline, reference in re.findall(
        r"\]\(([^)#\s]+)|^\[[^\]]+\]: ([^#\s]+)", text, re.MULTILINE
    ):
        target = inline or reference
        if target.startswith(f"{REPOSITORY}/"):
            kind, branch, path = target.removeprefix(f"{REPOSITORY}/").split("/", 2)
            found = ROOT / path
            assert branch == "main"
            assert found.is_dir() if kind == "tree" else found.is_file(), target
        elif "://" not in target:
            linked = (ROOT / "docs" / page.parent / target).resolve()
            assert linked.is_relative_to(ROOT / "docs"), f"{target}: use {REPOSITORY}/blob/main/…"


def test_navigation_lists_every_page() -> None:
    assert sorted(nav_pages(CONFIG["nav"])) == sorted(map(str, PAGES))


def test_index_lists_pages_in_navigation_order() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    _, *others = nav_pages(CONFIG["nav"])

    assert re.findall(r"\]\(([\w/.-]+\.md)\)", text) == others


@pytest.mark.parametrize("page", ["configuration.md", "operations.md"])
def test_generated_tables_are_up_to_date(page: str) -> None:
    path = ROOT / "docs" / page
    checked = run(str(BIN / "cog"), "-P", "--check", "--diff", "-I", str(ROOT / "tools"), str(path))

    assert path.read_text(encoding="utf-8").count("[[[cog")
    assert checked.returncode == 0, f"run `make docs-generate`\n{checked.stdout}{checked.stderr}"
