"""docs/security.md lists every limit with its current default."""

import re
from dataclasses import fields

import pytest
from xcom_server.api.emulator import effects
from xcom_server.emulator import faults, records
from xcom_server.settings import PREFIX, Settings
from xcom_server.storage.emulator import MAX_REQUESTS

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\|[^|]*\| `XCOM_(\w+)` \| ([^|]*) \|", PAGE, re.MULTILINE))
"""The name of each setting in the table of limits -> the cell of its default."""

NO_LIMIT = {
    "workers",
    "threads",
    "pool_size",
    "max_requests",
    "drain_seconds",
    "graceful_timeout_seconds",
    "token_lifetime_seconds",
    "fallback_page_limit",
}
"""Numeric settings that do not limit what a client can cause."""

LIMITS = {
    spec.name: spec.default
    for spec in fields(Settings)
    if type(spec.default) in (int, float) and spec.name not in NO_LIMIT
}


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_listed_with_its_default(name: str) -> None:
    assert ROWS[name.upper()] == str(LIMITS[name]), PREFIX + name.upper()


def test_limits_of_the_journal_are_listed() -> None:
    row = next(line for line in PAGE.splitlines() if "a request in the emulator's journal" in line)
    names = ("MAX_RECORD", "MAX_BODY", "MAX_URL", "MAX_HEADERS")

    assert re.findall(r"\d+(?= )", row) == [str(getattr(records, name)) for name in names]
    assert f"| requests in the emulator's journal | | {MAX_REQUESTS}," in PAGE


def test_limits_of_faults_are_listed() -> None:
    assert f"| faults of the emulator | | {faults.MAX_FAULTS} |" in PAGE
    assert f"| JSON that a fault of the emulator changes | | {effects.MAX_CHANGED} bytes |" in PAGE


def test_security_policy_links_to_existing_parts_of_the_page() -> None:
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    headings = {each.lower().replace(" ", "-") for each in re.findall(r"^## (.*)$", PAGE, re.M)}

    assert {*re.findall(r"docs/security\.md#([\w-]+)", policy)} <= headings
