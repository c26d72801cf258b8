"""The releases of Airflow that the server emulates, and which version of the API each has."""

VERSIONS = {"2.10.5": "v1", "3.3.2": "v2"}
"""Release -> version of its API."""

ALL = ",".join(VERSIONS)


def parse(text: str) -> dict[str, str]:
    """Return version of the API -> release, v1 first, for releases separated by commas.

    Raises ValueError for an unknown release, and for two that have the same version of the API.
    """
    names = [each.strip() for each in text.split(",")]
    if unknown := [each for each in names if each not in VERSIONS]:
        raise ValueError(f"unknown release {unknown[0]!r}")
    found = {VERSIONS[each]: each for each in names}
    if len(found) < len(names):
        raise ValueError("two releases have the same version of the API")
    return dict(sorted(found.items()))
