"""A pytest plugin: the files that take longest run first.

`make test` distributes the files to processes.  A long file at the end would leave the others idle.
"""

import pytest

SLOWEST = (
    "tests/contract/test_fuzz.py",
    "tests/attack/test_attack.py",
    "tests/faults/test_faults.py",
    "tests/parity/test_neighbours.py",
    "tests/system/test_command.py",
    "tests/server/test_bind_check.py",
    "tests/storage/test_races.py",
    "tests/system/test_image.py",
    "tests/parity/test_recorded_v2_cases.py",
    "tests/system/test_slow_searches.py",
    "tests/parity/test_recorded_cases.py",
    "tests/system/test_users_command.py",
    "tests/system/test_surroundings.py",
    "tests/contract/test_statuses.py",
    "tests/system/test_readme.py",
    "tests/server/test_slow_clients.py",
    "tests/system/test_removed_database.py",
    "tests/clients/test_tools.py",
    "tests/system/test_rollout.py",
    "tests/system/test_outage.py",
    "tests/system/test_memory.py",
)
"""The slowest first, by their seconds in `make test`."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by the place of their file in SLOWEST; the others keep their order."""
    places = {file: place for place, file in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
