"""`make mutants`: mutates the server's code in random places, and reports what no test notices."""

import argparse
import difflib
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

from tests.mutants import evidence, mutations
from tests.mutants.evidence import Evidence, package_of
from tests.mutants.trees import ROOT, Outcome, TestRunError, Tree

EQUIVALENT = Path(__file__).with_name("equivalent.json")
"""Mutants that change nothing that a client or an operator can observe, each with its reason."""

_MARGIN_SECONDS = 60.0  # for a start of pytest and of servers on a busy machine
_TIMES_LONGER = 3.0
_RERUNS = 3  # how many tests that fail only now and then are left out of one stage


@dataclass(frozen=True)
class Mutant:
    """A file of the server with one mutation."""

    site: mutations.Site
    before: str
    after: str

    @property
    def place(self) -> str:
        """Return the file and line."""
        return f"{self.site.path}:{self.site.line}"

    def is_equivalent(self, known: list[dict[str, str]]) -> bool:
        """Return whether a person has judged that it changes nothing that can be observed."""
        removed, added = mutations.changed_lines(self.before, self.after)
        key = (str(self.site.path), " ".join(removed), " ".join(added))
        return any(key == (each["file"], each["before"], each["after"]) for each in known)

    def diff(self) -> str:
        """Return the mutation as a unified diff, without context."""
        before, after = self.before.splitlines(), self.after.splitlines()
        lines = difflib.unified_diff(before, after, n=0, lineterm="")
        return "\n".join(f"    {line}" for line in list(lines)[3:])


@dataclass(frozen=True)
class Verdict:
    """Which test killed a mutant, "" if none did."""

    mutant: Mutant
    by: str
    seconds: float

    @property
    def is_killed(self) -> bool:
        """Return whether a test noticed the mutant."""
        return bool(self.by)


def sample(seed: str, package: str | None = None) -> Iterator[Mutant]:
    """Yield mutants in a random order that depends on nothing but the seed and the code.

    Each place and operator is as likely as any other, and has one mutant.
    """
    files = [
        path
        for path in sorted((ROOT / "app" / "xcom_server").rglob("*.py"))
        if "migrations" not in path.parts and package in (None, package_of(path.relative_to(ROOT)))
    ]
    sites = [
        site
        for path in files
        for site in mutations.sites(path.relative_to(ROOT), path.read_text(encoding="utf-8"))
    ]
    chance = random.Random(seed)
    chance.shuffle(sites)
    known = json.loads(EQUIVALENT.read_text(encoding="utf-8"))
    for site in sites:
        code = site.code(chance.choice(site.alternatives))
        mutant = Mutant(site, (ROOT / site.path).read_text(encoding="utf-8"), code)
        if code != mutant.before and not mutant.is_equivalent(known):
            yield mutant


def judge(mutant: Mutant, tree: Tree, found: Evidence) -> Verdict:
    """Run the tests that can see a mutant, stage by stage, until one fails."""
    start = time.monotonic()
    tree.write(mutant.site.path, mutant.after)
    try:
        killer = next(
            filter(None, (_killer(tree, s, found) for s in found.stages(mutant.site))), ""
        )
    finally:
        tree.write(mutant.site.path, mutant.before)
    return Verdict(mutant, killer, time.monotonic() - start)


def _killer(tree: Tree, tests: list[str], found: Evidence) -> str:
    """Return the test that fails, twice, or what else ended the run; "" if all pass."""
    left_out = list(found.failed)
    timeout = _MARGIN_SECONDS + _TIMES_LONGER * found.expected_seconds(tests)
    try:
        for _ in range(_RERUNS):
            options = ["-x", *evidence.ignored(), *(f"--deselect={each}" for each in left_out)]
            outcome = tree.run(tests, timeout=timeout, options=options)
            if outcome.passed:
                return ""
            if outcome.timed_out:
                return "a time-out"
            if not outcome.failed:
                return _last_line(outcome)
            if not tree.run(outcome.failed, timeout=timeout).passed:
                return outcome.failed[0]
            left_out += outcome.failed
    except TestRunError as error:
        print(f"not run: {error}", flush=True)
    return ""


def _last_line(outcome: Outcome) -> str:
    return next((line for line in reversed(outcome.output.splitlines()) if line), "no output")


def run(given: argparse.Namespace, seed: str) -> list[Verdict]:
    """Return verdicts on so many mutants, or as many as the time permits."""
    start = time.monotonic()
    trees = [Tree() for _ in range(given.processes)]
    free: SimpleQueue[Tree] = SimpleQueue()
    verdicts: list[Verdict] = []
    try:
        found = evidence.collect(trees[0], processes=given.processes)
        print(f"{len(found.seconds)} tests, known in {time.monotonic() - start:.0f} s", flush=True)
        for test in found.failed:
            print(f"left out, since it fails on the unmutated code: {test}", flush=True)
        for tree in trees:
            free.put(tree)
        deadline = time.monotonic() + given.minutes * 60

        def judged(mutant: Mutant) -> Verdict | None:
            if time.monotonic() > deadline:
                return None
            tree = free.get()
            try:
                return judge(mutant, tree, found)
            finally:
                free.put(tree)

        mutants = islice(sample(seed, given.package), given.count)
        with ThreadPoolExecutor(given.processes) as threads:
            for verdict in threads.map(judged, mutants):
                if verdict is not None:
                    verdicts.append(verdict)
                    print(_progress(len(verdicts), verdict), flush=True)
    finally:
        for tree in trees:
            tree.close()
    return verdicts


def _progress(number: int, verdict: Verdict) -> str:
    fate = f"killed by {verdict.by}" if verdict.is_killed else "SURVIVED"
    place = f"{verdict.mutant.place} {verdict.mutant.site.operator}"
    text = f"{number:4} {verdict.seconds:5.0f} s  {place}  {fate}"
    return text if verdict.is_killed else f"{text}\n{verdict.mutant.diff()}"


def report(verdicts: list[Verdict]) -> str:
    """Return the share of killed mutants, for each package and in all, and the survivors."""
    sampled = Counter(package_of(each.mutant.site.path) for each in verdicts)
    killed = Counter(package_of(each.mutant.site.path) for each in verdicts if each.is_killed)
    lines = [f"{name:15} {killed[name]:4} of {sampled[name]:4}" for name in sorted(sampled)]
    share = 100 * killed.total() / max(1, sampled.total())
    lines.append(f"{'all':15} {killed.total():4} of {sampled.total():4}  {share:.1f} %")
    for each in verdicts:
        if not each.is_killed:
            lines.append(f"survived: {each.mutant.place}\n{each.mutant.diff()}")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many mutants are sampled")
    parser.add_argument("--minutes", type=float, default=60, help="start no mutant later than that")
    parser.add_argument("--seed", default="", help="repeat the sample of a run")
    parser.add_argument("--package", help="mutate only this package, or module outside of packages")
    parser.add_argument("--processes", type=int, default=2, help="how many mutants run at once")
    return parser.parse_args()


def main() -> None:
    """Sample, run and report."""
    given = arguments()
    seed = given.seed or secrets.token_hex(4)
    only = f" --package {given.package}" if given.package else ""
    print(f"python -m tests.mutants.run --count {given.count} --seed {seed}{only}", flush=True)
    start = time.monotonic()
    verdicts = run(given, seed)
    print(report(verdicts))
    print(f"seed {seed}, {(time.monotonic() - start) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
