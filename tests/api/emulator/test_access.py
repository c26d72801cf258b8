"""Only holders of the token, or without one clients on this machine, use the control plane."""

import itertools
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.emulator import CLOCK, RESET, problem
from tests.support.v1_calls import entries

TOKEN = "0123456789abcdef"
PATHS = [CLOCK, "/_emulator/openapi.json", "/_emulator/ui/", "/_emulator/nothing", "/_emulator"]

Make = Callable[..., FlaskClient]


def basic(password: str) -> str:
    return f"Basic {b64encode(f'any:{password}'.encode()).decode()}"


OTHER_PASSWORDS = (basic("x"), basic("ä"), basic(""), "Basic ä", "Digest x")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_without_the_emulator_the_path_is_unknown(
    shared_application: Flask, path: str, method: str
) -> None:
    client = shared_application.test_client()
    expected = client.open("/nothing", method=method)

    answer = client.open(path, method=method)

    assert (answer.status_code, answer.data) == (404, expected.data)


def test_token_is_required_for_every_path(make_client: Make) -> None:
    client = make_client(emulator=True, emulator_token=TOKEN)
    for header in (f"Bearer {TOKEN}", f"bearer {TOKEN}", basic(TOKEN)):
        assert client.get(CLOCK, headers={"Authorization": header}).status_code == 200

    for header in ("", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", *OTHER_PASSWORDS):
        for path, method in itertools.product(PATHS, ("GET", "POST", "OPTIONS")):
            headers = {"Authorization": header} if header else {}
            answer = client.open(path, method=method, headers=headers)
            assert problem(answer, 401).startswith("The token in XCOM_EMULATOR_TOKEN is required")
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="xcom-server emulator"'


def test_token_is_not_one_of_the_api(make_client: Make, users_file: Path) -> None:
    client = make_client(
        emulator=True, emulator_token=TOKEN, auth="users", users_file=str(users_file)
    )

    assert client.get(entries(), headers={"Authorization": basic(TOKEN)}).status_code == 401
    assert client.get(CLOCK, headers={"Authorization": basic("admin")}).status_code == 401


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_clients_on_this_machine_have_access(
    client: FlaskClient, address: str
) -> None:
    assert client.get(CLOCK, environ_base={"REMOTE_ADDR": address}).status_code == 200


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", ""])
def test_without_a_token_other_machines_have_none(client: FlaskClient, address: str) -> None:
    """A trusted proxy on this machine forwards their addresses."""
    for path in (CLOCK, "/_emulator/openapi.json", "/_emulator/nothing"):
        problem(client.get(path, environ_base={"REMOTE_ADDR": address}), 403)
    assert client.get("/api/v1/version", environ_base={"REMOTE_ADDR": address}).status_code == 200


def test_foreign_host_is_refused_without_a_token_even_with_users(
    make_client: Make, users_file: Path
) -> None:
    client = make_client(emulator=True, auth="users", users_file=str(users_file))

    assert problem(client.post(RESET, headers={"Host": "attacker.example"}), 421)


def test_page_of_another_site_cannot_reset(make_client: Make) -> None:
    client = make_client(emulator=True, emulator_token=TOKEN)
    headers = {"Authorization": basic(TOKEN), "Origin": "https://attacker.example"}

    assert problem(client.post(RESET, headers=headers), 403)


def test_unknown_path_and_method_are_problems(client: FlaskClient) -> None:
    problem(client.get("/_emulator/nothing"), 404)
    answer = client.post(CLOCK)
    assert problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"DELETE", "GET", "HEAD", "OPTIONS", "PUT"}


def test_paths_follow_the_base_path(make_client: Make) -> None:
    client = make_client(emulator=True, base_path="/airflow")

    assert client.get(f"/airflow{CLOCK}").status_code == 200
    assert problem(client.get(CLOCK), 404) == "The path of the URL does not begin with /airflow/."
    document = client.get("/airflow/_emulator/openapi.json").get_json()
    assert document["servers"] == [{"url": "/airflow/_emulator"}]
