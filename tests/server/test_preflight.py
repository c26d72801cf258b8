"""Checks before the start, each with the text of its error."""

import socket
from pathlib import Path
from typing import Any

import pytest
from xcom_server.auth.tokens import InvalidKeyFile
from xcom_server.auth.users import InvalidUsersFile
from xcom_server.errors import DatabaseUnusable, OperatorError
from xcom_server.factory import limits
from xcom_server.server import preflight
from xcom_server.server.preflight import CannotListen, InsecureBind
from xcom_server.settings import Settings
from xcom_server.storage.opening import open_backend, open_emulator_state
from xcom_server.storage.sql import schema

LOOPBACK = [("127.0.0.1", 8080)]


def refusal(place: str) -> str:
    return (
        f"refusing to listen on {place}: with XCOM_AUTH=none every client is an admin, so only"
        " loopback addresses are allowed. Listen on 127.0.0.1, or add users (xcom-server user add"
        " NAME --role ROLE) and set XCOM_AUTH=users."
    )


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (("0.0.0.0", 80), "0.0.0.0:80"),
        (("", 80), ":80"),
        (("::", 80, 0, 0), "[::]:80"),
        (("192.0.2.1", 8080), "192.0.2.1:8080"),
        ("/run/x.sock", "/run/x.sock"),
    ],
)
def test_public_address_without_users_is_rejected(address: Any, place: str) -> None:
    with pytest.raises(InsecureBind) as error:
        preflight.check_addresses(Settings(), [*LOOPBACK, address])

    assert str(error.value) == refusal(place)
    preflight.check_addresses(Settings(auth="users"), [address])


def test_public_address_with_any_credentials_needs_the_control_plane() -> None:
    address = ("0.0.0.0", 80)
    with pytest.raises(InsecureBind) as error:
        preflight.check_addresses(Settings(auth="any"), [*LOOPBACK, address])

    assert str(error.value) == (
        "refusing to listen on 0.0.0.0:80: with XCOM_AUTH=any every client is an admin, so only"
        " loopback addresses are allowed. Listen on 127.0.0.1, or set XCOM_EMULATOR=true and"
        " XCOM_EMULATOR_TOKEN (for tests), or add users (xcom-server user add NAME --role ROLE)"
        " and set XCOM_AUTH=users."
    )
    with pytest.raises(InsecureBind, match="XCOM_EMULATOR_TOKEN"):
        preflight.check_addresses(Settings(auth="any", emulator=True), [address])
    token = "t" * 16
    preflight.check_addresses(
        Settings(auth="any", emulator=True, emulator_token=token), [address, "/run/x.sock"]
    )


@pytest.mark.parametrize("address", [("0.0.0.0", 80), "/run/x.sock"])
def test_public_address_with_a_control_plane_needs_a_token(address: Any) -> None:
    settings: dict[str, Any] = {"auth": "users", "emulator": True}
    with pytest.raises(InsecureBind) as error:
        preflight.check_addresses(Settings(**settings), [*LOOPBACK, address])

    assert str(error.value).endswith(
        ": with --emulator every client may use the control plane, so only loopback addresses are"
        " allowed. Listen on 127.0.0.1, or set XCOM_EMULATOR_TOKEN."
    )
    preflight.check_addresses(Settings(**settings, emulator_token="x" * 16), [address])


@pytest.mark.parametrize(
    ("clock", "faults", "words"),
    [
        ({}, 0, ""),
        ({"offset_seconds": 60}, 0, "the clock is 60 s ahead"),
        ({}, 1, "there is a fault"),
        (
            {"frozen_at": "2026-01-01T00:00:00+00:00"},
            2,
            "the clock stands still at 2026-01-01T00:00:00+00:00 and there are 2 faults",
        ),
    ],
)
def test_state_of_an_earlier_run_is_logged_in_one_line(
    database_url: str,
    clock: dict[str, Any],
    faults: int,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = Settings(database_url=database_url, emulator=True)
    preflight.check(settings, LOOPBACK, 4)
    state = open_emulator_state(database_url, limits(settings))
    state.change_clock(lambda found: clock)
    for _ in range(faults):
        state.add_fault({})
    state.close()

    preflight.check(settings, LOOPBACK, 4)

    logged = [text for text in caplog.messages if "control plane" in text]
    expected = f"The control plane has a state of an earlier run: {words}. A reset removes it."
    assert logged == ([expected] if words else [])


def test_control_plane_needs_a_file_that_can_be_written(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "xcom.db-emulator").mkdir()

    with pytest.raises(DatabaseUnusable, match="the tables of the control plane cannot be used: "):
        preflight.check(Settings(database_url=database_url, emulator=True), LOOPBACK, 1)


@pytest.mark.parametrize(
    "address", [("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1, 0, 0), ("localhost", 1)]
)
def test_loopback_address_is_allowed_without_users(address: Any) -> None:
    preflight.check_addresses(Settings(), [address])


def test_host_without_an_address_is_left_to_gunicorn() -> None:
    preflight.check_addresses(Settings(), [("no.such.host.invalid", 80)])


def test_file_descriptor_is_checked_by_the_address_of_its_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        preflight.check_addresses(Settings(), [listener.fileno()])
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InsecureBind) as error:
            preflight.check_addresses(Settings(), [listener.fileno()])
        assert str(error.value) == refusal(f"0.0.0.0:{port}")
        listener.getsockname()  # it was not closed


def test_file_descriptor_that_is_not_a_socket_is_rejected(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        with pytest.raises(InsecureBind) as error:
            preflight.check_addresses(Settings(), [file.fileno()])

        assert str(error.value) == (
            f"fd://{file.fileno()} is not a socket: Socket operation on non-socket"
        )


@pytest.mark.parametrize("port", [-1, 65536])
def test_port_out_of_range_is_reported(port: int) -> None:
    with pytest.raises(CannotListen) as error:
        preflight.check_bindable([("127.0.0.1", port)])

    assert str(error.value) == (
        f"cannot listen on 127.0.0.1:{port}: the port must be 0 to 65535."
        " Choose another address with --bind or XCOM_BIND."
    )


def test_socket_in_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotListen) as error:
        preflight.check_bindable([f"{tmp_path}/gone/x.sock"])

    assert str(error.value) == (
        f"cannot listen on unix:{tmp_path}/gone/x.sock: its folder does not exist."
    )


def test_address_in_use_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            listener.close()

        monkeypatch.setattr(preflight, "ADDRESS_WAIT_SECONDS", 60)
        monkeypatch.setattr("time.sleep", sleep)
        preflight.check_bindable(["/run/x.sock", 3, listener.getsockname()])

    assert waits == [0.1]


def test_in_memory_database_is_rejected_for_several_workers() -> None:
    settings = Settings(database_url="sqlite://")

    preflight.check(settings, LOOPBACK, workers=1)
    with pytest.raises(DatabaseUnusable) as error:
        preflight.check(settings, LOOPBACK, workers=2)

    assert str(error.value) == (
        "sqlite:// is an in-memory database, and each of the 2 workers would have a separate one."
        " Run one worker (--workers 1), or use a database file."
    )


def test_check_upgrades_an_empty_sqlite_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"

    preflight.check(Settings(database_url=url), LOOPBACK, workers=2)

    backend = open_backend(url)
    assert schema.current(backend) == schema.HEAD
    backend.close()


def test_check_reads_the_users_and_creates_the_key(
    tmp_path: Path, database_url: str, users_file: Path
) -> None:
    key = tmp_path / "token.key"
    settings = Settings(
        database_url=database_url, auth="users", users_file=str(users_file), token_key_file=str(key)
    )

    preflight.check(settings, [("0.0.0.0", 80)], workers=2)

    assert len(key.read_text().strip()) >= 64
    key.write_text("short\n")
    with pytest.raises(InvalidKeyFile) as short:
        preflight.check(settings, LOOPBACK, workers=2)
    assert str(short.value) == (
        f"the token key file {key} has 5 bytes, but at least 64 are needed."
        " Remove it, and the next start creates a new one."
    )


def test_check_without_users_needs_neither_users_nor_key(tmp_path: Path, database_url: str) -> None:
    key, users = tmp_path / "token.key", tmp_path / "users.json"
    settings = Settings(database_url=database_url, users_file=str(users), token_key_file=str(key))

    preflight.check(settings, LOOPBACK, workers=2)

    assert not key.exists()


def test_users_file_that_does_not_exist_is_named_with_the_command(
    tmp_path: Path, database_url: str
) -> None:
    users = tmp_path / "users.json"
    settings = Settings(database_url=database_url, auth="users", users_file=str(users))

    with pytest.raises(InvalidUsersFile) as error:
        preflight.check(settings, LOOPBACK, workers=2)

    assert str(error.value) == (
        f"the users file {users} cannot be used: No such file or directory."
        " Create it with: xcom-server user add NAME --role ROLE"
    )


@pytest.mark.parametrize(("proxies", "warnings"), [("", 1), ("10.0.0.1", 0)])
def test_variable_of_gunicorn_for_proxies_is_reported_as_unused(
    proxies: str,
    warnings: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.1")
    settings = Settings(database_url="sqlite://", trusted_proxies=proxies)

    preflight.check(settings, LOOPBACK, workers=1)

    expected = (
        "The variable FORWARDED_ALLOW_IPS has no effect, so the headers X-Forwarded-… are ignored."
        " Set XCOM_TRUSTED_PROXIES to the addresses of the proxies."
    )
    assert [record.getMessage() for record in caplog.records] == [expected] * warnings


@pytest.mark.parametrize("emulator", [False, True])
def test_token_without_the_control_plane_is_reported_as_unused(
    emulator: bool, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(database_url="sqlite://", emulator=emulator, emulator_token="x" * 16)

    preflight.check(settings, LOOPBACK, workers=1)

    logged = [each for each in caplog.messages if "XCOM_EMULATOR_TOKEN has no effect" in each]
    assert len(logged) == (0 if emulator else 1)


def test_error_that_an_operator_can_fix_ends_the_process_with_one_line() -> None:
    with pytest.raises(SystemExit) as end, preflight.exit_on_error():
        raise OperatorError("words")
    assert end.value.code == "xcom-server: words"

    with pytest.raises(RuntimeError), preflight.exit_on_error():
        raise RuntimeError
