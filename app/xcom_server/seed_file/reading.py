"""Reading seed files."""

from collections import Counter
from collections.abc import Callable, Sequence

from xcom_server.formats import strict_json
from xcom_server.seed_file import rows
from xcom_server.seed_file.fields import InvalidSeedFile
from xcom_server.storage.dags import SeedDag
from xcom_server.storage.models import SeedEntry
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.store import SeedRow

Build = Callable[[str, strict_json.JsonObject], SeedRow]

_MEMBERS: dict[str, tuple[str, Build]] = {
    "dags": ("DAG", rows.dag),
    "dag_runs": ("DAG run", rows.run),
    "entries": ("entry", rows.entry),
}

_NO_LISTS = "neither a list of entries nor an object with dag_runs, dags or entries as lists"


def read(text: str, file: str = "") -> list[SeedRow]:
    """Return the rows in the text of a seed file; `file` is its name in error messages.

    A byte order mark at the start is skipped.  Raises InvalidSeedFile for the first invalid row.
    """
    place = f"{file}: " if file else ""
    try:
        lists = _lists(text.removeprefix("\ufeff"))
    except strict_json.InvalidJson as error:
        raise InvalidSeedFile(f"{place}not JSON: {error}") from None
    except InvalidSeedFile as error:
        raise InvalidSeedFile(f"{place}{error}") from None
    return [
        _row(f"{place}{kind} {number}", build, element)
        for name, (kind, build) in _MEMBERS.items()
        for number, element in enumerate(lists.get(name, []), 1)
    ]


def counted(rows: Sequence[SeedRow]) -> str:
    """Return how many rows of each kind there are, in words; DAGs only if there are any."""
    counts = Counter(type(row) for row in rows)
    entries = _plural(counts[SeedEntry], "entry", "entries")
    runs = _plural(counts[SeedRun], "DAG run", "DAG runs")
    dags = f"{_plural(counts[SeedDag], 'DAG', 'DAGs')}, " if counts[SeedDag] else ""
    return f"{dags}{entries} and {runs}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _lists(text: str) -> dict[str, list[str]]:
    """Return the texts of the rows in each list of a file."""
    if text.lstrip().startswith("["):
        return {"entries": strict_json.split_array(text)}
    if not text.lstrip().startswith("{"):
        strict_json.loads(text)
        raise InvalidSeedFile(_NO_LISTS)
    members = strict_json.split_object(text)
    if unknown := sorted(members.keys() - _MEMBERS):
        raise InvalidSeedFile(f"unknown member {unknown[0]!r}; allowed: {', '.join(_MEMBERS)}")
    if not members or not all(part.startswith("[") for part in members.values()):
        raise InvalidSeedFile(_NO_LISTS)
    return {name: strict_json.split_array(part) for name, part in members.items()}


def _row(place: str, build: Build, text: str) -> SeedRow:
    try:
        row = strict_json.loads(text)
        if not isinstance(row, strict_json.JsonObject):
            raise InvalidSeedFile("not an object")
        return build(place, row)
    except strict_json.AmbiguousJson as error:
        raise InvalidSeedFile(f"{place}: it contains {error}") from None
    except (ValueError, InvalidSeedFile) as error:
        raise InvalidSeedFile(f"{place}: {error}") from None
