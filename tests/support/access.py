"""Clients with the credentials of a user."""

from base64 import b64encode

from flask.testing import FlaskClient


def authenticated(client: FlaskClient, name: str | None, version: str = "v1") -> FlaskClient:
    """Return the client with the credentials of a user whose password equals the name."""
    client.environ_base.pop("HTTP_AUTHORIZATION", None)
    if name is not None:
        client.environ_base["HTTP_AUTHORIZATION"] = (
            basic(name, name) if version == "v1" else f"Bearer {token(client, name)}"
        )
    return client


def basic(name: str, password: str) -> str:
    """Return the header of Basic credentials."""
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


def token(client: FlaskClient, name: str, path: str = "/auth/token") -> str:
    """Return a token for a user whose password equals the name."""
    answer = client.post(path, json={"username": name, "password": name})
    assert answer.status_code == 201
    return answer.get_json()["access_token"]  # type: ignore[no-any-return]
