"""A plugin of pytest that writes each test's outcome and duration to $MUTANTS_RECORD."""

import json
import os

import pytest

PATH = "MUTANTS_RECORD"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Append a line for each phase of a test; of several processes, only the first gets here."""
    if os.environ.get("PYTEST_XDIST_WORKER") is None:
        line = {"test": report.nodeid, "seconds": report.duration, "failed": report.failed}
        with open(os.environ[PATH], "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
