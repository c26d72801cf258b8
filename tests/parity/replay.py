"""Replay recorded requests against a new server and print how its responses differ.

Example, of one family of cases:
python -m tests.parity.replay --family C tests/parity/neighbours/v1.cases.jsonl \\
    tests/parity/neighbours/v1.seed.json
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.parity import neighbour_seeds
from tests.support import recorded, replay
from tests.support.paths import ROOT
from tests.support.users import write_role_users


def main() -> int:
    """Replay the cases of a file; return 1 if a response differs and has no row."""
    options = _options()
    cases = recorded.cases(options.cases)
    version = options.api or ("v1" if "/api/v1/" in cases[0]["request"]["path"] else "v2")
    document = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    rows = replay.rows(document, version, cases, has_all_cases=False)
    counts: Counter[tuple[str, str]] = Counter()
    with TemporaryDirectory() as name:
        folder = Path(name)
        url = options.database or f"sqlite:///{folder}/xcom.db"
        users_file = write_role_users(folder / "users.json")
        settings = dict(setting.split("=", 1) for setting in options.set)
        seed = _seed(options.seed)
        for case, answer in replay.replay(cases, seed, folder, url, users_file, **settings):
            if options.family and not case["id"].startswith(options.family):
                continue
            found = replay.differences(case, answer)
            how = replay.outcome(case, found, answer, rows.get(case["id"]))
            counts[replay.family(case), how] += 1
            if how == replay.DIFFERS:
                _print(case, answer, found, options.lines)
        if options.log:
            sys.stdout.write((folder / "server.log").read_text())
    for (family, how), count in sorted(counts.items()):
        print(f"{count:6} {family} {how}")
    return int(any(how == replay.DIFFERS for _, how in counts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.parity.replay", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("cases", type=Path, help="a file such as v1.cases.jsonl")
    add("seed", type=Path, help="a file such as v1.seed.json, or a seed file of this server")
    add("--api", choices=["v1", "v2"], help="by default that of the first case")
    add("--family", help="report only cases whose id begins so; all are sent")
    add("--database", metavar="URL", help="its tables are recreated; by default a temporary SQLite")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server")
    add("--lines", type=int, default=4, help="differences to print per case")
    add("--log", action="store_true", help="print the log of the server")
    return parser.parse_args()


def _seed(path: Path) -> str:
    """Return the text of a seed file, converted if the file is a recorded seed."""
    text = path.read_text(encoding="utf-8")
    document = json.loads(text)
    recorded_form = isinstance(document, dict) and "task_instances" in document
    return json.dumps(neighbour_seeds.convert(document)) if recorded_form else text


def _print(case: recorded.Case, answer: recorded.Answer, found: list[str], lines: int) -> None:
    request = case["request"]
    query = f"?{request['query']}" if request["query"] else ""
    print(f"{case['id']}: {request['method']} {request['path']}{query} -> {answer.status}")
    if request["body"] is not None:
        print(f"    sent {json.dumps(request['body'], ensure_ascii=False)[:300]}")
    for line in found[:lines]:
        print(f"    {line}")
    if len(found) > lines:
        print(f"    and {len(found) - lines} more")


if __name__ == "__main__":
    sys.exit(main())
