"""Settings are read strictly, and the documentation lists them all."""

import os
import re
from dataclasses import Field, fields

import pytest
from xcom_server.settings import Settings, SettingsError

from tests.support.paths import ROOT

# gunicorn would listen on port 8000 for the first one, and would reject a part of the others.
_NO_ADDRESSES = ("[::1]x:8080", "::1:8080", "[::1:8080", "127.0.0.1:8080,127.0.0.1:8081")


def test_settings_come_from_the_environment() -> None:
    environ = {"XCOM_WORKERS": "3", "XCOM_DESERIALIZE": "Yes", "XCOM_BIND": "h:1", "OTHER": "x"}

    assert Settings.from_env(environ) == Settings(workers=3, deserialize=True, bind="h:1")


@pytest.mark.parametrize(
    "bind", ["0.0.0.0:0", "localhost:65535", "[::1]:8080", "unix:/run/x", "fd://3"]
)
def test_bind_address_is_accepted(bind: str) -> None:
    assert Settings.from_env({"XCOM_BIND": bind}).bind == bind


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("true", "1", "yes", "on", "TRUE")),
        *((text, False) for text in ("false", "0", "no", "off", "Off")),
    ],
)
def test_boolean_is_accepted_in_each_spelling(text: str, value: bool) -> None:
    assert Settings.from_env({"XCOM_METRICS": text}).metrics is value


@pytest.mark.parametrize("spec", fields(Settings), ids=lambda spec: spec.name)
@pytest.mark.parametrize("space", ["\n", "\r\n", " \t "])
def test_white_space_around_a_value_is_removed(spec: "Field[object]", space: str) -> None:
    text = str(spec.default)
    settings = Settings.from_env({f"XCOM_{spec.name.upper()}": f"{space}{text}{space}"})

    assert settings == Settings()


@pytest.mark.parametrize("spec", fields(Settings), ids=lambda spec: spec.name)
def test_empty_value_is_refused_unless_it_is_the_default(spec: "Field[object]") -> None:
    name = f"XCOM_{spec.name.upper()}"
    if spec.default == "":
        assert Settings.from_env({name: ""}) == Settings()
        return

    for text in ("", "\n"):
        with pytest.raises(SettingsError, match=rf"\A{name} must be .+, not ''\.\Z"):
            Settings.from_env({name: text})


@pytest.mark.parametrize("spec", fields(Settings), ids=lambda spec: spec.name)
def test_value_that_is_not_utf8_is_refused_and_not_repeated(spec: "Field[object]") -> None:
    name = f"XCOM_{spec.name.upper()}"
    text = os.fsdecode(b"unix:secret\xff")

    with pytest.raises(SettingsError, match=rf"\A{name} is not valid UTF-8\.\Z"):
        Settings.from_env({name: text})


def test_settings_round_trip_through_the_environment() -> None:
    settings = Settings(database_url="sqlite://", deserialize=True, threads=9)

    assert Settings.from_env(settings.to_env()) == settings


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("XCOM_DESERIALIZE", "maybe", "XCOM_DESERIALIZE must be true or false, not 'maybe'"),
        (
            "XCOM_WORKERS",
            "two",
            "XCOM_WORKERS must be a whole number of at least 1 and at most 256, not 'two'",
        ),
        (
            "XCOM_WORK_MEMORY_BYTES",
            "1000",
            "XCOM_WORK_MEMORY_BYTES must be a whole number of at least 1048576, not '1000'",
        ),
        ("XCOM_MAX_JSON_DEPTH", "241", "XCOM_MAX_JSON_DEPTH must be"),
        ("XCOM_WORKERS", "257", "XCOM_WORKERS must be"),
        ("XCOM_THREADS", "1001", "XCOM_THREADS must be"),
        ("XCOM_WORKERS", "0", "XCOM_WORKERS must be"),
        ("XCOM_WORKERS", "1_0", "XCOM_WORKERS must be"),
        ("XCOM_WORKERS", "٢", "XCOM_WORKERS must be"),
        ("XCOM_THREADS", "", "XCOM_THREADS must be"),
        (
            "XCOM_DATABSE_URL",
            "x",
            "XCOM_DATABSE_URL is not a setting. Did you mean XCOM_DATABASE_URL?",
        ),
        ("XCOM_PORT", "9000", "XCOM_PORT is not a setting. Did you mean XCOM_BIND?"),
        (
            "XCOM_BIND",
            "8080",
            "XCOM_BIND must be HOST:PORT (port 0 to 65535), unix:PATH or fd://N, not '8080'.",
        ),
        (
            "XCOM_BASE_PATH",
            "/airflow/",
            "XCOM_BASE_PATH must be a path such as /airflow, of letters, digits, `-`, `.`, `_` and"
            " `~`, without a slash at its end, not '/airflow/'.",
        ),
        ("XCOM_BASE_PATH", "/", "XCOM_BASE_PATH must be a path such as /airflow"),
        (
            "XCOM_TRUSTED_PROXIES",
            "localhost",
            "XCOM_TRUSTED_PROXIES must be addresses, networks such as 10.0.0.0/8 or `unix`,"
            " separated by commas, not 'localhost'.",
        ),
        ("XCOM_BIND", "127.0.0.1", "XCOM_BIND must be HOST:PORT"),
        ("XCOM_BIND", "127.0.0.1:99999", "XCOM_BIND must be HOST:PORT"),
        *(("XCOM_BIND", text, "XCOM_BIND must be HOST:PORT") for text in _NO_ADDRESSES),
        *(
            ("XCOM_ALLOWED_RUN_ID_PATTERN", text, "XCOM_ALLOWED_RUN_ID_PATTERN must be a regular")
            for text in ("a{99999999999}", "(" * 5000 + ")" * 5000)
        ),
        ("XCOM_BIND", "localhost:", "XCOM_BIND must be HOST:PORT"),
        ("XCOM_BIND", "fd://x", "XCOM_BIND must be HOST:PORT"),
        (
            "XCOM_ALLOWED_RUN_ID_PATTERN",
            "[a-z",
            "XCOM_ALLOWED_RUN_ID_PATTERN must be a regular expression, not '[a-z'.",
        ),
        (
            "XCOM_ALLOWED_HOSTS",
            "a.example:80",
            "XCOM_ALLOWED_HOSTS must be names without ports, *.NAME, addresses, networks such as"
            " 10.0.0.0/8 or *, separated by commas, not 'a.example:80'.",
        ),
        (
            "XCOM_ALLOWED_ORIGINS",
            "a.example",
            "XCOM_ALLOWED_ORIGINS must be origins such as https://app.example:8443 or *,"
            " separated by commas, not 'a.example'.",
        ),
        (
            "XCOM_EMULATOR_TOKEN",
            "123456789012345",
            "XCOM_EMULATOR_TOKEN must be at least 16 characters of ASCII without spaces.",
        ),
        ("XCOM_EMULATOR_TOKEN", "1234567890123456 7", "XCOM_EMULATOR_TOKEN must be at least 16"),
        ("XCOM_EMULATOR_TOKEN", "123456789012345ä", "XCOM_EMULATOR_TOKEN must be at least 16"),
        ("XCOM_ZZZZ", "x", "XCOM_ZZZZ is not a setting."),
    ],
)
def test_error_names_the_invalid_setting(name: str, text: str, words: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({name: text})

    assert str(error.value).startswith(words)


def test_every_setting_is_documented_once() -> None:
    """tests/docs compares the rest of the tables, which are generated."""
    tables = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(XCOM_\w+)` \|", tables, re.MULTILINE)

    assert sorted(documented) == sorted(f"XCOM_{each.name.upper()}" for each in fields(Settings))


@pytest.mark.parametrize("spec", fields(Settings), ids=lambda spec: spec.name)
def test_help_of_a_setting_is_short_and_ends_with_a_period(spec: "Field[object]") -> None:
    text = spec.metadata["help"]

    assert re.fullmatch(r"[A-Z][^\n]+\.", text)
    assert len(text) <= 260
