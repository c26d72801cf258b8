"""The pytest plugin: the fixtures `xcom_server` and `xcom`, and the marker `xcom`.

pytest loads it in every project whose environment has xcom-server, so it imports nothing else until
a test uses a fixture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from xcom_server.testing import XcomServer
    from xcom_server.testing.journal import Request
    from xcom_server.testing.options import Options
    from xcom_server.testing.pool import Pool

_SETTINGS = ("airflow_version", "auth", "users", "workers")
"""The settings that have an ini option; a marker may have any setting."""

_MARKER = (
    "xcom(*, seed, strict, allow, **settings): what the fixture `xcom` requires of its server:"
    " content of a seed file or its path, whether requests with findings fail the test, ids of"
    " rules to allow, and settings such as users='ann:secret:op'"
)


class _Used(NamedTuple):
    server: XcomServer
    options: Options


_USED = pytest.StashKey[_Used]()
_FINDINGS = "xcom_findings"  # the property of a test that has passed, also in JUnit's XML


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini options."""
    for name in _SETTINGS:
        parser.addini(f"xcom_{name}", f"XCOM_{name.upper()} of the servers of xcom-server")
    parser.addini("xcom_seed", "seed file that the fixture `xcom` loads before each test")
    parser.addini(
        "xcom_strict", "fail tests whose requests have findings", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def _xcom_pool() -> Iterator[Pool]:
    """Yield the servers of this session; with xdist, of this worker process."""
    from xcom_server.testing.pool import Pool

    with Pool() as pool:
        yield pool


@pytest.fixture(scope="session")
def xcom_server(_xcom_pool: Pool, pytestconfig: pytest.Config) -> XcomServer:
    """Return a server with the settings of the ini options, which no test empties by itself."""
    return _started(_xcom_pool, _options(pytestconfig))


@pytest.fixture
def xcom(request: pytest.FixtureRequest, _xcom_pool: Pool) -> Iterator[XcomServer]:
    """Yield a server that is empty except for the seed, with the settings of the marker `xcom`.

    It is shared with other tests that have the same settings.
    """
    options = _options(request.config, request.node)
    server = _started(_xcom_pool, options)
    options.prepare(server)
    request.node.stash[_USED] = _Used(server, options)
    yield server
    del request.node.stash[_USED]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a strict test that has passed if one of its requests has a finding."""
    result = yield
    used = item.stash.get(_USED, None)
    if used and used.options.strict and (rules := used.options.disallowed(used.server.requests)):
        pytest.fail(f"xcom_strict: requests have findings: {', '.join(rules)}", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the journal to the report of a test that failed, or whose requests have findings."""
    report = yield
    if report.skipped or (used := item.stash.get(_USED, None)) is None:
        return report
    requests, text = _journal(used.server)
    if found := report.passed and used.options.disallowed(requests):
        report.user_properties.append((_FINDINGS, ", ".join(found)))
    if report.failed or found:
        report.sections.append(("Requests that xcom-server received", text))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests have passed although their requests have findings."""
    passed = terminalreporter.stats.get("passed", [])
    if count := sum(_FINDINGS in dict(report.user_properties) for report in passed):
        terminalreporter.write_line(
            f"xcom-server: {count} passed, but with findings about their requests. Show them with"
            " -rP, or set xcom_strict to make such tests fail."
        )


def _options(config: pytest.Config, item: pytest.Item | None = None) -> Options:
    """Return the options of a test; without one, those of the configuration."""
    from xcom_server.testing import options

    configured: dict[str, object] = {
        name: text for name in _SETTINGS if (text := config.getini(f"xcom_{name}"))
    }
    configured["strict"] = config.getini("xcom_strict")
    if seed := config.getini("xcom_seed"):
        folder = config.inipath.parent if config.inipath else config.rootpath
        configured["seed"] = folder / seed
    markers = list(item.iter_markers("xcom")) if item else []
    if any(marker.args for marker in markers):
        pytest.fail("pytest.mark.xcom: all arguments need names", pytrace=False)
    folder = item.path.parent if item else config.rootpath
    with _short_errors(options.InvalidOption):
        return options.read(configured, [each.kwargs for each in markers], folder)


def _started(pool: Pool, options: Options) -> XcomServer:
    """Return the server with these settings."""
    from xcom_server.settings import SettingsError
    from xcom_server.testing import StartError

    with _short_errors(SettingsError, StartError):
        return pool.get(options.settings)


@contextmanager
def _short_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Fail the test with the message of an error, without a traceback."""
    try:
        yield
    except kinds as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _journal(server: XcomServer) -> tuple[Sequence[Request], str]:
    """Return the requests since the test began, and their text or why they cannot be read."""
    from xcom_server.testing import XcomServerError, journal

    try:
        requests = server.requests
    except XcomServerError as error:
        return (), str(error)
    text = f"{journal.shown(requests)}\n{journal.last_response(requests)}".strip()
    return requests, text or "none"
