"""`xcom-server serve`: options override the environment, and both are read strictly."""

from dataclasses import fields

import pytest
from xcom_server import __version__
from xcom_server.server import launch
from xcom_server.settings import Settings

from tests.support.cli import outcome, run_command


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Return a list of the settings that a server was started with."""
    served: list[Settings] = []
    monkeypatch.setattr(launch, "run", served.append)
    return served


def test_serve_without_options_uses_the_environment(served: list[Settings]) -> None:
    run_command("serve", environ={"XCOM_WORKERS": "5"})

    assert served == [Settings(workers=5)]


def test_options_override_the_environment(served: list[Settings]) -> None:
    options = ["--workers", "3", "--log-requests", "true", "--bind", "localhost:1"]

    result = run_command("serve", *options, environ={"XCOM_WORKERS": "5", "XCOM_THREADS": "6"})

    assert outcome(result) == (0, "", "")
    assert served == [Settings(workers=3, threads=6, log_requests=True, bind="localhost:1")]


@pytest.mark.parametrize("options", [["--deserialize"], ["--deserialize", "--workers", "2"]])
def test_boolean_option_without_a_value_is_true(served: list[Settings], options: list[str]) -> None:
    result = run_command("serve", *options, environ={"XCOM_DESERIALIZE": "false"})

    assert outcome(result) == (0, "", "")
    assert served == [Settings(deserialize=True)]


def test_other_options_need_a_value(served: list[Settings]) -> None:
    result = run_command("serve", "--workers")

    assert "Error: Option '--workers' requires an argument." in result.stderr
    assert (result.exit_code, served) == (2, [])


OPTIONS = [spec for spec in fields(Settings) if spec.name not in ("users", "emulator_token")]


def test_every_setting_except_the_secret_ones_has_an_option(served: list[Settings]) -> None:
    for spec in OPTIONS:
        option = f"--{spec.name.replace('_', '-')}"
        assert run_command("serve", option, str(spec.default)).exit_code == 0

    assert served == [Settings()] * len(OPTIONS)


def test_option_of_a_boolean_needs_no_value(served: list[Settings]) -> None:
    assert run_command("serve", "--emulator", "--bind", "127.0.0.1:80").exit_code == 0
    assert run_command("serve", "--emulator", "false").exit_code == 0

    assert served == [Settings(emulator=True, bind="127.0.0.1:80"), Settings()]


def test_users_are_no_option_because_processes_can_be_listed(served: list[Settings]) -> None:
    result = run_command("serve", "--users", "ann:secret:op")

    assert (result.exit_code, served) == (2, [])
    help_text = run_command("serve", "--help", environ={"XCOM_USERS": "ann:secret:op"}).stdout
    assert "secret" not in help_text
    assert "--users " not in help_text


def test_help_shows_the_variable_and_the_default_of_each_setting() -> None:
    text = run_command("serve", "--help").stdout
    unbroken = "".join(text.split())

    for spec in OPTIONS:
        default = "".join(str(spec.default).split()) or "empty"
        shown = default.lower() if isinstance(spec.default, bool) else default
        assert f"[XCOM_{spec.name.upper()},default{shown}]" in unbroken
        if isinstance(spec.default, str):
            assert f"--{spec.name.replace('_', '-')} N " not in text
    for option in (
        "--workers N",
        "--log-requests true|false",
        "--log-format console|json",
        "--auth none|any|users",
        "--bind HOST:PORT",
        "--database-url URL",
        "--users-file FILE",
        "--token-key-file FILE",
        "--allowed-run-id-pattern REGEX",
    ):
        assert f" {option} " in text


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_the_commands(option: str) -> None:
    status, output, errors = outcome(run_command(option))

    assert (status, errors) == (0, "")
    listed = [line.split()[0] for line in output.partition("Commands:\n")[2].splitlines()]
    assert listed == ["db", "export", "health", "seed", "serve", "user"]


def test_version_is_printed() -> None:
    assert outcome(run_command("--version")) == (0, f"xcom-server, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        ([], {"XCOM_WORKER": "1"}, "XCOM_WORKER is not a setting. Did you mean XCOM_WORKERS?"),
        ([], {"XCOM_ZZZZ": "1"}, "XCOM_ZZZZ is not a setting."),
        (
            ["--workers", "0"],
            {},
            "XCOM_WORKERS must be a whole number of at least 1 and at most 256, not '0'.",
        ),
        (
            ["--lock-timeout-seconds", "0"],
            {},
            "XCOM_LOCK_TIMEOUT_SECONDS must be a number of seconds of at least 0.001, not '0'.",
        ),
        (["--metrics", "maybe"], {}, "XCOM_METRICS must be true or false, not 'maybe'."),
        (["--auth", "all"], {}, "XCOM_AUTH must be none, any or users, not 'all'."),
        (["--log-format", "x"], {}, "XCOM_LOG_FORMAT must be console or json, not 'x'."),
        (
            ["--bind", "h:65536"],
            {},
            "XCOM_BIND must be HOST:PORT (port 0 to 65535), unix:PATH or fd://N, not 'h:65536'.",
        ),
    ],
)
def test_setting_that_cannot_be_read_is_one_line(
    served: list[Settings], options: list[str], environ: dict[str, str], message: str
) -> None:
    result = run_command("serve", *options, environ=environ)

    assert outcome(result) == (1, "", f"Error: {message}\n")
    assert served == []
