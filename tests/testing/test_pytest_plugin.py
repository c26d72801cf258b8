"""The pytest plugin: fixtures, marker, ini options, strict tests, the journal of failed tests."""

import subprocess
import sys

import pytest

from tests.support.waiting import SECONDS

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

CLIENT = """
import pytest
import requests

def get(server, path, **options):
    headers = {"Authorization": f"Bearer {server.token()}"}
    return requests.get(server.v2_url + path, headers=headers, **options)

ENTRY = {"dag_id": "etl", "run_id": "r", "task_id": "t", "key": "k", "value": 1}
"""
OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly")


def new_modules(module: str) -> set[str]:
    """Return the modules that the import of a module adds to those of pytest."""
    script = (
        "import sys, pytest; before = set(sys.modules)\n"
        f"import {module}\n"
        "print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    return set(done.stdout.split())


def test_plugin_imports_nothing_until_a_test_uses_it() -> None:
    assert new_modules("xcom_server.pytest_plugin") == {"xcom_server", "xcom_server.pytest_plugin"}


def test_servers_for_tests_need_only_the_standard_library() -> None:
    roots = {name.partition(".")[0] for name in new_modules("xcom_server.testing.pool")}

    assert roots - sys.stdlib_module_names == {"xcom_server"}


def test_a_test_gets_an_empty_server_that_others_use_too(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nxcom_seed = seed.json\nxcom_users = ann:secret:op\n")
    pytester.path.joinpath("seed.json").write_text("[]")
    pytester.makepyfile(
        CLIENT
        + """
urls = set()

@pytest.mark.parametrize("number", range(3))
def test_that_writes(xcom, number):
    assert (xcom.entries(), xcom.requests) == ([], [])
    xcom.seed([ENTRY])
    get(xcom, "/dags")
    urls.add(xcom.url)

@pytest.mark.xcom(seed=[ENTRY])
class TestWithSeed:
    def test_seed_of_the_class(self, xcom):
        assert len(xcom.entries()) == 1
        urls.add(xcom.url)

    @pytest.mark.xcom(seed={"entries": [ENTRY, {**ENTRY, "key": "other"}]})
    def test_nearest_marker_wins(self, xcom):
        assert len(xcom.entries()) == 2
        urls.add(xcom.url)

def test_session_fixture_is_the_same_server_and_is_not_emptied(xcom_server):
    assert len(xcom_server.entries()) == 2
    assert urls == {xcom_server.url}

@pytest.mark.xcom(auth="none")
def test_other_settings_are_another_server(xcom, xcom_server):
    assert xcom.url != xcom_server.url
    assert requests.get(f"{xcom.v2_url}/dags").status_code == 200
    assert requests.get(f"{xcom_server.v2_url}/dags").status_code == 401
"""
    )

    pytester.runpytest_inprocess(*OPTIONS).assert_outcomes(passed=7)


FAILING = (
    CLIENT
    + """
def test_that_passes(xcom):
    get(xcom, "/dags")

def test_that_fails(xcom):
    get(xcom, "/dags?limit=1")
    requests.get(f"{xcom.v2_url}/dags", auth=("ann", "secret"))
    assert 0

def test_that_ends_the_server(xcom):
    xcom._process._process.terminate()
    xcom._process._process.wait()
    assert 0
"""
)


def test_failed_test_shows_its_requests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)

    done = pytester.runpytest_subprocess(*OPTIONS)  # it also measures lines that are run once

    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines_random(
        [
            "*- Requests that xcom-server received -*",
            "1. GET /api/v2/dags?limit=1 -> 200 (conforms)",
            "2. GET /api/v2/dags -> 401 (refused)*",
            "GET /_emulator/requests: *",
        ]
    )
    assert "3. " not in done.stdout.str()
    assert "secret" not in done.stdout.str().partition("Requests that xcom-server received")[2]


STRICT = (
    CLIENT
    + """
def test_that_sends_what_airflow_ignores(xcom):
    get(xcom, "/dags?no_such_parameter=1")

@pytest.mark.xcom(allow=["unknown-parameter"])
def test_that_may(xcom):
    get(xcom, "/dags?no_such_parameter=1")

@pytest.mark.xcom(strict=False)
def test_that_is_not_strict(xcom):
    get(xcom, "/dags?no_such_parameter=1")

def test_that_conforms(xcom):
    get(xcom, "/dags")
"""
)


def test_strict_test_fails_for_a_finding_that_is_not_allowed(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nxcom_strict = true\n")
    pytester.makepyfile(STRICT)

    done = pytester.runpytest_inprocess(*OPTIONS)

    done.assert_outcomes(passed=3, failed=1)
    done.stdout.fnmatch_lines(
        [
            "xcom_strict: requests have findings: unknown-parameter",
            "*- Requests that xcom-server received -*",
            "1. GET /api/v2/dags?no_such_parameter=1 -> 200 *",
            "xcom-server: 1 passed, but with findings about their requests.*",
        ]
    )
    assert done.stdout.str().count("[unknown-parameter]") == 1


INVALID = """
import pytest

@pytest.mark.xcom("users")
def test_positional(xcom): ...

@pytest.mark.xcom(worker=2)
def test_unknown(xcom): ...

@pytest.mark.xcom(workers=0)
def test_invalid(xcom): ...

@pytest.mark.xcom(users="ann")
def test_not_started(xcom): ...
"""


def test_error_of_a_marker_is_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(INVALID)

    done = pytester.runpytest_inprocess(*OPTIONS)

    done.assert_outcomes(errors=4)
    done.stdout.fnmatch_lines(
        [
            "pytest.mark.xcom: all arguments need names",
            "pytest.mark.xcom: 'worker' is not allow, seed, strict or a setting of the server."
            " Did you mean 'workers'?",
            "XCOM_WORKERS must be a whole number of at least 1 and at most 256, not '0'.",
            "xcom-server did not start (exit status 1):",
            "xcom-server: XCOM_USERS: user 1 must be NAME:PASSWORD:ROLE*",
        ]
    )
    assert "Traceback" not in done.stdout.str()
    assert "During handling" not in done.stdout.str()


def test_marker_and_ini_options_are_registered(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_inprocess("--markers", "-p", "no:cacheprovider")

    done.stdout.fnmatch_lines(["@pytest.mark.xcom(*, seed, strict, allow, [*][*]settings): *"])
