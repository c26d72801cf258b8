"""Which tests can see a mutant: a run with coverage says which tests reach which line."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from coverage import CoverageData

from tests.mutants.mutations import Site
from tests.mutants.trees import ROOT, Tree, files_digest

CACHE = ROOT / ".mutants_cache"
FIRST_SECONDS = 30.0
"""How long the tests of the first stage take at most, by the durations of the unmutated code."""

LEFT_OUT = ("clients", "faults", "bench", "mutants", "contract/test_fuzz.py")
"""Tests that no mutant is run with: they are slow, and need other environments or are random."""

_PACKAGE = Path("app", "xcom_server")
_TESTS_BY_PACKAGE = {
    "api": ("api", "contract", "parity"),
    "auth": ("auth", "api/test_who_may.py", "system/test_users_command.py"),
    "cli": (
        "cli",
        "system/test_command.py",
        "system/test_users_command.py",
        "system/test_settings.py",
        "storage/test_seed.py",
        "storage/test_schema.py",
    ),
    "formats": ("formats", "api"),
    "observability": ("observability", "system/test_metrics.py", "system/test_logs.py"),
    "seed_file": ("seed_file", "storage/test_seed.py", "cli"),
    "server": (
        "server",
        "system/test_command.py",
        "system/test_settings.py",
        "system/test_logs.py",
        "system/test_users_command.py",
        "system/test_rollout.py",
    ),
    "storage": ("storage", "api/test_one_store.py", "system/test_outage_sqlite.py"),
    "values": ("values", "parity"),
}
_TESTS_OF_THE_REST = ("cli", "system/test_settings.py", "system/test_command.py", "storage", "api")


def package_of(path: Path) -> str:
    """Return the package of a file of the server, or the file's own name outside of packages."""
    return path.relative_to(_PACKAGE).parts[0].removesuffix(".py")


class Evidence:
    """What a run of the tests on the unmutated code left: coverage, durations and failures."""

    def __init__(self, folder: Path) -> None:
        self._coverage = CoverageData(str(folder / "coverage"))
        self._coverage.read()
        self._files = {Path(name).parts[-3:]: name for name in self._coverage.measured_files()}
        outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
        self.seconds: dict[str, float] = outcome["seconds"]
        self.failed: list[str] = outcome["failed"]

    def stages(self, site: Site) -> Iterator[list[str]]:
        """Yield the tests of each stage: those that reach the line, the package's, and all."""
        if first := self._first(site):
            yield first
        own = _TESTS_BY_PACKAGE.get(package_of(site.path), _TESTS_OF_THE_REST)
        yield [f"tests/{name}" for name in own if (ROOT / "tests" / name).exists()]
        yield ["tests"]

    def expected_seconds(self, tests: list[str]) -> float:
        """Return how long tests, or files or folders of them, take on the unmutated code."""
        if set(tests) <= self.seconds.keys():
            return sum(self.seconds[each] for each in tests)
        return sum(s for test, s in self.seconds.items() if test.startswith(tuple(tests)))

    def _first(self, site: Site) -> list[str]:
        """Return the quickest tests that reach a mutant, some of each file."""
        by_file: dict[str, list[str]] = {}
        for test in sorted(self._reaching(site), key=lambda test: (self.seconds[test], test)):
            by_file.setdefault(test.partition("::")[0], []).append(test)
        near = f"tests/{package_of(site.path)}/"
        ranked = sorted(
            (rank, not file.startswith(near), file, test)
            for file, tests in by_file.items()
            for rank, test in enumerate(tests)
        )
        chosen: list[str] = []
        total = 0.0
        for *_, test in ranked:
            total += self.seconds[test]
            if total > FIRST_SECONDS and chosen:
                break
            chosen.append(test)
        return chosen

    def _reaching(self, site: Site) -> set[str]:
        name = self._files.get(site.path.parts[-3:])
        if name is None or site.runs_on_import:
            return set()
        contexts = self._coverage.contexts_by_lineno(name)
        found = {
            each.partition("|")[0] for line in site.statement for each in contexts.get(line, ())
        }
        return {test for test in found if test in self.seconds} - {*self.failed}


def collect(tree: Tree, *, processes: int) -> Evidence:
    """Return the evidence of the code as it is, from an earlier run if nothing has changed."""
    folder = CACHE / files_digest()
    if not (folder / "outcome.json").exists():
        print("running the tests on the unmutated code, for once", flush=True)
        options = ["--cov", "--cov-context=test", "--cov-report="]
        options += ["--numprocesses", str(processes), "--dist", "loadfile", *ignored()]
        outcome = tree.run(["tests"], timeout=3600, options=options)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree.root / ".coverage", folder / "coverage")
        (folder / "outcome.json").write_text(
            json.dumps({"seconds": outcome.seconds, "failed": outcome.failed}), encoding="utf-8"
        )
    return Evidence(folder)


def ignored() -> list[str]:
    """Return the options that leave out tests which no mutant is run with."""
    return [f"--ignore=tests/{name}" for name in LEFT_OUT]
