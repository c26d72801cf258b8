"""DAGs: the record of one, and the interface of the store of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from xcom_server.storage.queries import Filter, Order, Page


class Dag(NamedTuple):
    """A DAG.

    `is_paused` can be None, because Airflow 2 accepts and stores null. `definition` is a JSON
    object with the other fields of the DAG in a seed file, as docs/seeding.md lists them, and its
    `tasks`; it is `{}` for a DAG that an entry or a run registered. `version_id` is a UUID, and
    `created_at` the time at which the DAG was registered.
    """

    dag_id: str
    is_paused: bool | None
    is_stale: bool
    display_name: str | None
    owners: str
    tags: str
    next_dagrun: datetime | None
    definition: str
    version_id: str
    created_at: datetime

    @property
    def dag_display_name(self) -> str:
        """The display name, which defaults to the id."""
        return self.display_name or self.dag_id

    @property
    def tag_names(self) -> list[str]:
        """The tags, sorted."""
        return sorted(split_tags(self.tags))

    @property
    def owner_names(self) -> list[str]:
        """The owners, in their order."""
        return self.owners.split(", ")


def joined_tags(tags: Sequence[str]) -> str:
    """Return tags as the field `tags` of a DAG, each between line breaks, so that one is found."""
    return "\n".join(["", *tags, ""]) if tags else ""


def split_tags(text: str) -> list[str]:
    """Return the tags in a text of `joined_tags`."""
    return [*filter(None, text.split("\n"))]


@dataclass(frozen=True)
class SeedDag:
    """A DAG to load or an exported one.

    `fields` are fields of Dag, and `definition` is as in Dag but parsed. `script` is the JSON text
    of the script, None if there is none.
    """

    place: str
    dag_id: str
    fields: dict[str, Any]
    definition: dict[str, Any]
    script: str | None


class DagStore(Protocol):
    """The DAGs of a store.

    Lists can be filtered and ordered by `dag_id`, `display_name` (the id if there is none),
    `is_paused`, `is_stale`, `owners` (joined with ", "), `tags` (with `contains` and a tag between
    line breaks), `next_dagrun`, and of the newest run that has started `last_run_state`,
    `last_run_start_date` and `last_run_end_date`.
    """

    def get(self, dag_id: str) -> Dag:
        """Return a DAG.  Raises DagNotFound."""

    def list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[Dag]:
        """Return a page of the DAGs that match, and the number of all; ties sort by id."""

    def task_ids(self, dag_id: str) -> Sequence[str]:
        """Return the ids of the tasks that have instances, sorted; [] for an unknown DAG.

        These are the tasks of a DAG whose definition has no `tasks`.
        """

    def count_running(self, dag_id: str) -> int:
        """Return the number of the DAG's runs in the state running."""

    def set_paused(self, dag_id: str, is_paused: bool | None) -> Dag:
        """Pause or unpause a DAG and return it.  Raises DagNotFound."""

    def set_all_paused(self, dag_ids: Collection[str], is_paused: bool | None) -> Sequence[Dag]:
        """Pause or unpause DAGs, all or none, and return them, ordered by id.

        Unknown ones are left out.
        """

    def delete(self, dag_id: str) -> None:
        """Delete a DAG with its runs, task instances and entries.

        Raises DagNotFound, and TaskIsRunning if a task instance is running.
        """
