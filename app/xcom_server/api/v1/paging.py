"""`limit` as in Airflow 2: 0 asks for the default page size, a large number for the largest."""

from dataclasses import dataclass

from connexion.exceptions import BadRequestProblem


@dataclass(frozen=True)
class PageLimits:
    """Airflow's `[api] maximum_page_limit` and `fallback_page_limit`, in entries."""

    maximum: int
    fallback: int

    def page_size(self, limit: int) -> int:
        """Return the page size for a `limit`; raises BadRequestProblem if it is negative."""
        if limit < 0:
            raise BadRequestProblem("Page limit must be a positive integer")
        return min(limit or self.fallback, self.maximum)
