"""`limit` as Airflow's v1 reads it: 0 asks for the default page, too much for the largest."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PageLimits:
    """Airflow's `[api] maximum_page_limit` and `fallback_page_limit`, in entries."""

    maximum: int
    fallback: int

    def applied(self, limit: int) -> int:
        """Return the page size for a limit of at least 0."""
        return min(limit or self.fallback, self.maximum)
