"""Authentication, permissions and throttling in both versions."""

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from xcom_server import clock
from xcom_server.api.authorization import Access
from xcom_server.auth import attempts
from xcom_server.auth.attempts import ATTEMPTS_BEFORE_BACKOFF
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, read, write
from xcom_server.settings import Settings

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.access import authenticated, basic, token
from tests.support.documents import VERSIONS, is_guarded, operations
from tests.support.paths import ROOT

CALLS = {"v1": v1, "v2": v2}
OPERATIONS: dict[str, Callable[[FlaskClient, Any], Any]] = {
    "list": lambda client, api: client.get(api.entries()),
    "get": lambda client, api: client.get(api.entry("k")),
    "create": lambda client, api: client.post(api.entries(), json={"key": "new", "value": "v"}),
    "update": lambda client, api: client.patch(api.entry("k"), json={"value": "new"}),
    "delete": lambda client, api: client.delete(api.entry("k")),
}


VALID_BODY = {"key": "k", "value": "v", "note": "n"}
"""A body that passes the validation of every operation of v1, which comes before that of users."""

REQUIRED_QUERY = {("/api/v1/dags", "PATCH"): {"dag_id_pattern": "~"}}


def table() -> dict[tuple[str, str], str]:
    """Return role and operation -> the cell of the table in docs/access.md."""
    text = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    lines = [
        line.strip("|").split("|")
        for line in text.split("## Roles")[1].split("\nHealth")[0].splitlines()
        if line.startswith("|")
    ]
    return {
        (row[0].split()[0].strip("`"), operation.strip()): cell.strip()
        for row in lines[2:]
        for operation, cell in zip(lines[0][1:], row[1:], strict=True)
    }


@pytest.fixture
def guarded(make_client: Callable[..., FlaskClient], users_file: Path) -> FlaskClient:
    """Return a client of a server with a user for each role and an entry `k`."""
    client = make_client(auth="users", users_file=str(users_file))
    v1.create(authenticated(client, "admin"))
    return authenticated(client, None)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("role", "operation"), table())
def test_role_has_the_documented_permissions(
    guarded: FlaskClient, role: str, operation: str, version: str
) -> None:
    client = authenticated(guarded, None if role == "anonymous" else role, version)

    answer = OPERATIONS[operation](client, CALLS[version])

    permission = table()[role, operation]
    assert (answer.status_code < 300) == (permission == "yes")
    assert permission in ("yes", str(answer.status_code))
    kept = authenticated(guarded, "admin").get(v1.entry("k"))
    assert (kept.status_code, kept.get_json().get("value")) == (
        (404, None)
        if permission == "yes" and operation == "delete"
        else (200, "new")
        if permission == "yes" and operation == "update"
        else (200, "v")
    )


def test_access_table_covers_every_role_and_operation() -> None:
    assert set(table()) == {
        (role, operation) for role in ["anonymous", *Role] for operation in OPERATIONS
    }


def test_only_listed_routes_need_no_credentials(guarded: FlaskClient) -> None:
    documented = {
        (path, method.upper())
        for version in VERSIONS
        for path, method, operation in operations(version)
        if not is_guarded(version, operation)
    }
    open_routes = documented | {
        *(
            (path, "GET")
            for path in ("/health", "/live", "/ready", "/version", "/metrics", "/openapi.json")
        ),
        *(
            ("/auth/token" + end, method)
            for end, method in (("", "GET"), ("", "POST"), ("/cli", "POST"))
        ),
    }
    for rule in guarded.application.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", re.sub(r"<int:[^>]+>", "0", rule.rule))
        for method in (
            (rule.methods or set()) - {"OPTIONS"} - ({"HEAD"} if "/v2/" in path else set())
        ):
            is_document = re.fullmatch(r"/api/v[12]/(openapi\.\w+|ui(/x?)?)", path)
            name = "GET" if method == "HEAD" else method
            if (path, name) not in open_routes and not is_document:
                answer = guarded.open(
                    path,
                    method=method,
                    json=VALID_BODY if method in ("POST", "PATCH") else None,
                    query_string=REQUIRED_QUERY.get((path, method)),
                )
                assert answer.status_code == 401, (method, path)
    assert {path for path, _ in documented} == {
        "/api/v1/health",
        "/api/v1/version",
        "/api/v2/monitor/health",
        "/api/v2/version",
    }


@pytest.mark.parametrize(
    ("authorization", "statuses"),
    [
        ("", (401, 401)),
        ("Basic", (401, 401)),
        ("Basic !!!", (401, 401)),
        ("Basic YTph\u00e9", (401, 401)),
        ("Bearer", (401, 401)),
        ("Bearer abc", (401, 403)),
        ("Bearer a.b.c", (401, 403)),
        ("Token abc", (401, 401)),
        (basic("admin", "wrong"), (401, 401)),
        (basic("ghost", "admin"), (401, 401)),
        (basic("", ""), (401, 401)),
        (basic("admin", "admin"), (200, 401)),
        ("Basic " + b64encode(b"\xff:\xff").decode(), (401, 401)),
    ],
)
def test_v1_accepts_basic_credentials_and_v2_tokens(
    guarded: FlaskClient, authorization: str, statuses: tuple[int, int]
) -> None:
    headers = {"Authorization": authorization}

    answers = [guarded.get(api.entry("k"), headers=headers) for api in (v1, v2)]

    assert tuple(answer.status_code for answer in answers) == statuses
    bearer = {"Authorization": f"bEARER  {token(guarded, 'viewer')} "}
    assert [guarded.get(api.entry("k"), headers=bearer).status_code for api in (v1, v2)] == [
        401,
        200,
    ]


def test_v1_validates_before_authentication_and_v2_after(
    guarded: FlaskClient,
) -> None:
    for query, body in (("limit=x", None), ("", "text")):
        method = "POST" if body else "GET"
        at_v1, at_v2 = (
            guarded.open(
                f"{api.entries()}?{query}", method=method, data=body, content_type="text/plain"
            )
            for api in (v1, v2)
        )
        assert (at_v1.status_code, at_v2.status_code) == (415 if body else 400, 401)
    broken = guarded.post(v2.entries(), data="{", content_type="application/json")
    assert v2.error_detail(broken, 422)[0]["type"] == "json_invalid"
    assert guarded.post(v1.entries(), json={}).status_code == 401
    assert guarded.put(v1.entries()).status_code == guarded.put(v2.entries()).status_code == 405


@pytest.mark.parametrize("version", VERSIONS)
def test_tilde_matches_only_dags_the_user_may_access(
    make_client: Callable[..., FlaskClient], tmp_path: Path, version: str
) -> None:
    users = {
        "admin": User("admin", Role.ADMIN, hash_password("admin")),
        "ann": User("ann", Role.USER, hash_password("ann"), frozenset({"etl", "b"})),
        "none": User("none", Role.USER, hash_password("none"), frozenset()),
    }
    write(tmp_path / "users.json", users)
    client = make_client(auth="users", users_file=str(tmp_path / "users.json"))
    api = CALLS[version]
    for dag_id in ("a", "b", "etl", "f"):
        authenticated(client, "admin", version).post(
            api.entries(dag_id), json={"key": dag_id, "value": "v"}
        )

    found = {}
    for name in users:
        page = authenticated(client, name, version).get(api.entries("~", "~", "~")).get_json()
        found[name] = [each["key"] for each in page["xcom_entries"]], page["total_entries"]

    assert found == {
        "admin": (["a", "b", "etl", "f"], 4),
        "ann": (["b", "etl"], 2),
        "none": ([], 0),
    }
    ann = authenticated(client, "ann", version)
    for dag_id, statuses in (("a", {403}), ("nope", {403}), ("b", {200, 201, 204})):
        answers = [
            ann.get(api.entries(dag_id)),
            ann.get(api.entry(dag_id, dag_id=dag_id)),
            ann.patch(api.entry(dag_id, dag_id=dag_id), json={"value": "w"}),
            ann.post(api.entries(dag_id), json={"key": "new", "value": "v"}),
            ann.delete(api.entry(dag_id, dag_id=dag_id)),
        ]
        assert {answer.status_code for answer in answers} <= statuses


@pytest.mark.parametrize("version", VERSIONS)
def test_everyone_is_an_admin_without_authentication(client: FlaskClient, version: str) -> None:
    api = CALLS[version]
    for authorization in ("", "Bearer abc", basic("a", "b")):
        headers = {"Authorization": authorization}
        created = client.post(api.entries(), json={"key": "k", "value": "v"}, headers=headers)
        assert created.status_code in (200, 201)
        assert client.delete(api.entry("k"), headers=headers).status_code == 204


def test_repeated_wrong_passwords_are_throttled(guarded: FlaskClient) -> None:
    wrong = {"Authorization": basic("viewer", "wrong")}
    for _ in range(ATTEMPTS_BEFORE_BACKOFF):
        assert guarded.get(v1.entries(), headers=wrong).status_code == 401

    refused = guarded.get(v1.entries(), headers=wrong)
    credentials = {"username": "viewer", "password": "wrong"}
    logins = [
        guarded.post("/auth/token", json=credentials),
        guarded.post("/auth/token", data=credentials),
        guarded.post("/auth/token/cli", json=credentials),
    ]

    assert v1.error_detail(refused, 429, "Too Many Requests") == (
        "Too many login attempts. Try again in 1 s."
    )
    for login in logins:
        assert v2.error_detail(login, 429) == "Too many login attempts. Try again in 1 s."
        assert refused.headers["Retry-After"] == login.headers["Retry-After"] == "1"
    right = {"Authorization": basic("op", "op")}
    assert guarded.get(v1.entries(), headers=right).status_code == 200


@pytest.mark.parametrize(("threads", "strangers"), [(1, 0), (2, 0), (3, 1), (4, 1)])
def test_guesses_leave_a_thread_for_other_requests(
    users_file: Path, tmp_path: Path, threads: int, strangers: int
) -> None:
    settings = Settings(
        users_file=str(users_file), token_key_file=str(tmp_path / "key"), threads=threads
    )

    assert Access(settings)._passwords._queue._strangers == strangers


def test_one_password_tried_for_many_users_is_throttled(
    guarded: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "ADDRESS_ATTEMPTS_BEFORE_BACKOFF", 12)
    for number in range(12):
        headers = {"Authorization": basic(f"user{number}", "Winter2026")}
        assert guarded.get(v1.entries(), headers=headers).status_code == 401

    refused = guarded.get(v1.entries(), headers={"Authorization": basic("op", "op")})

    assert refused.status_code == 429


@pytest.mark.parametrize("password", ["viewer", "new"])
def test_token_ends_with_the_record_of_its_user(
    make_client: Callable[..., FlaskClient], tmp_path: Path, password: str
) -> None:
    path = tmp_path / "users.json"
    write(path, {"viewer": User("viewer", Role.VIEWER, hash_password("viewer"))})
    client = make_client(auth="users", users_file=str(path))
    headers = {"Authorization": f"Bearer {token(client, 'viewer')}"}
    assert client.get(v2.entries(), headers=headers).status_code == 200

    write(path, {})
    assert client.get(v2.entries(), headers=headers).status_code == 403
    write(path, {"viewer": User("viewer", Role.ADMIN, hash_password(password))})

    refused = client.get(v2.entries(), headers=headers)
    assert v2.error_detail(refused, 403) == "Invalid JWT token"


def test_token_expires_to_the_second(
    make_client: Callable[..., FlaskClient], users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(auth="users", users_file=str(users_file), token_lifetime_seconds=3600)
    headers = {"Authorization": f"Bearer {token(client, 'viewer')}"}
    claims = jwt.decode(headers["Authorization"][7:], options={"verify_signature": False})

    expires = datetime.fromtimestamp(claims["exp"], UTC)
    monkeypatch.setattr(clock, "now", lambda: expires - timedelta(milliseconds=10))
    assert client.get(v2.entries(), headers=headers).status_code == 200
    monkeypatch.setattr(clock, "now", lambda: expires)
    assert v2.error_detail(client.get(v2.entries(), headers=headers), 401) == "Token Expired"


def test_token_of_a_removed_user_is_rejected(
    make_client: Callable[..., FlaskClient], users_file: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "users.json"
    write(mine, read(users_file))
    client = make_client(auth="users", users_file=str(mine))
    authenticated(client, "op", "v2")
    assert client.get(v2.entries()).status_code == 200

    write(mine, {name: user for name, user in read(mine).items() if name != "op"})

    assert v2.error_detail(client.get(v2.entries()), 403) == "Invalid JWT token"
