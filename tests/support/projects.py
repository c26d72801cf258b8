"""The project of a user: the client and the test of the README, in a package `app` of its own."""

from pathlib import Path

from tests.support.readme import blocks, section


def write_client(folder: Path) -> str:
    """Write the README's client to a folder, and return the README's test of it."""
    test, client = blocks("python", section("### With pytest"))
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").touch()
    (folder / "app" / "report.py").write_text(client, encoding="utf-8")
    return test
