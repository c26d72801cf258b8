"""Rules for the ids of triggered DAG runs, which both versions of the API share."""

import re
from collections.abc import Collection


class RunIdRules:
    """The ids that a manual run cannot have.

    `pattern` is a regular expression for ids. An id is also allowed if it is made of `manual`,
    `scheduled` or `asset_type`, `__` and a date in UTC with whole seconds. Ids that begin with one
    of the `reserved` types of runs and `__` are not allowed, nor are ids with NUL, which databases
    cannot store. With `line_feed`, an allowed id may have a line feed at its end, before which `$`
    matches.
    """

    def __init__(
        self,
        pattern: str,
        *,
        asset_type: str,
        reserved: Collection[str],
        line_feed: bool = False,
    ) -> None:
        self._pattern = pattern.strip()
        self._reserved = reserved
        self._line_feed = line_feed
        self._builtin = (
            rf"^(?:manual|scheduled|{asset_type})__"
            r"(?:\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00)$"
        )

    def error(self, run_id: str) -> str | None:
        """Return the text of Airflow's error for an id that is not allowed, None for others."""
        for run_type in self._reserved:
            if run_id.startswith(f"{run_type}__"):
                return (
                    f"A manual DAG run cannot use ID '{run_id}' since it is reserved for"
                    f" {run_type} runs"
                )
        if self._is_allowed(run_id):
            return None
        return (
            f"The run_id provided '{run_id}' does not match regex pattern '{self._pattern}' or"
            f" '{self._builtin}'"
        )

    def _is_allowed(self, run_id: str) -> bool:
        if "\0" in run_id or (run_id.endswith("\n") and not self._line_feed):
            return False
        return any(re.match(each, run_id) for each in (self._pattern, self._builtin))
