"""`limit` as Airflow's v1 reads it: 0 asks for the default page, too much for the largest."""

from dataclasses import dataclass

from connexion.exceptions import BadRequestProblem


@dataclass(frozen=True)
class PageLimits:
    """Airflow's `[api] maximum_page_limit` and `fallback_page_limit`, in entries."""

    maximum: int
    fallback: int

    def applied(self, limit: int) -> int:
        """Return the page size for a limit; raises BadRequestProblem for a negative one."""
        if limit < 0:
            raise BadRequestProblem("Page limit must be a positive integer")
        return min(limit or self.fallback, self.maximum)
