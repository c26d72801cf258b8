"""Replays recorded requests on runs, task instances and DAGs against a live server."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import update
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import tables

from tests.support import neighbours, recorded, recorded_v2
from tests.support.databases import emptied, load
from tests.support.live_server import UnmeasuredServer
from tests.support.recorded import Answer, Case

HELD_OUT, SAME, WITH_A_ROW, DIFFERS = "held out", "same", "with a row", "differs"
HEADINGS = {
    "v1": "Recorded cases of runs, task instances and DAGs that differ",
    "v2": "v2: recorded cases of runs, task instances and DAGs that differ",
}
"""The headings in docs/differences.md of the tables for these recordings."""

_LATER = re.compile(r"set to (\w+) by SQL ([\d.]+) s later|(\w+) after ([\d.]+) s")


def replay(
    cases: Sequence[Case], seed: str, folder: Path, url: str, users_file: Path, **settings: Any
) -> Iterator[tuple[Case, Answer]]:
    """Send recorded requests in order to a new server; yield each with its answer.

    `seed` is the text of a seed file.  The tables of the database at `url` are recreated first.
    """
    load(emptied(url), seed)
    users = set(recorded_v2.TOKEN_OF.findall(json.dumps([*cases])))
    with UnmeasuredServer(
        folder,
        XCOM_DATABASE_URL=url,
        XCOM_AUTH="users",
        XCOM_USERS_FILE=str(users_file),
        XCOM_REQUIRE_PARENTS="true",
        XCOM_VALIDATE_RESPONSES="true",
        **settings,
    ) as server:
        tokens = {user: recorded_v2.token(server.url, user) for user in users}
        for case in cases:
            with _changed_from_outside(url, case):
                yield case, recorded.send(server.port, recorded_v2.with_tokens(case, tokens))


@contextmanager
def _changed_from_outside(url: str, case: Case) -> Iterator[None]:
    """Change the state of a run while a request waits, as the note of the case says.

    Afterwards the run has its state again, as later recordings show.
    """
    timers = [
        threading.Timer(float(seconds), _set_state, (url, case, state))
        for state, seconds in _changes(case["note"])
    ]
    for timer in timers:
        timer.start()
    yield
    for timer in timers:
        timer.join()
    if timers:
        _set_state(url, case, case["note"].partition(";")[0])


def _changes(note: str) -> list[tuple[str, str]]:
    """Return the states in a note about SQL, each with its time in seconds."""
    if "SQL" not in note:
        return []
    return [(match[1] or match[3], match[2] or match[4]) for match in _LATER.finditer(note)]


def _set_state(url: str, case: Case, state: str) -> None:
    _, _, _, _, dag_id, _, run_id, *_ = map(unquote, case["request"]["path"].split("/"))
    run = tables.dag_run
    statement = update(run).where(run.c.dag_id == dag_id, run.c.run_id == run_id)
    backend = open_backend(url)
    with backend.engine.begin() as connection:
        connection.execute(statement.values(state=state))
    backend.close()


def outcome(case: Case, found: Sequence[str], answer: Answer, row: str | None) -> str:
    """Return how a response compares with its recording.

    `found` are the differences, `row` is the case's row in docs/differences.md.  A status of 500
    or above always differs.
    """
    if case["response"] is None and answer.status < 500:
        return HELD_OUT
    if answer.status >= 500:
        return DIFFERS
    if row is None:
        return DIFFERS if found else SAME
    in_row = answer.status == case["response"]["status"] or str(
        answer.status
    ) in recorded.status_here(row)
    return WITH_A_ROW if found and in_row else DIFFERS


def family(case: Case) -> str:
    """Return the family of a case: the first word of its id."""
    return str(case["id"]).partition("-")[0]


def differences(case: Case, answer: Answer) -> list[str]:
    """Return how a response differs from its recording; nothing for one that is held out."""
    return [] if case["response"] is None else neighbours.differences(case, answer)


def rows(
    document: str, version: str, cases: Sequence[Case], *, has_all_cases: bool = True
) -> dict[str, str]:
    """Return the rows of docs/differences.md for the cases of a version by case id."""
    if f"## {HEADINGS[version]}\n" not in document:
        return {}
    ids = [case["id"] for case in cases]
    return recorded.rows(document, HEADINGS[version], ids, has_all_cases=has_all_cases)
