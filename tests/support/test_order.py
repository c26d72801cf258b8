"""The files that run first exist."""

from tests.support.order import SLOWEST
from tests.support.paths import ROOT


def test_files_that_run_first_exist() -> None:
    assert [file for file in SLOWEST if not (ROOT / file).is_file()] == []
