"""Rules about credentials on a server with users, and about tokens that expire."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.emulator.played import BASIC, TASK, play, rules
from tests.emulator.recorded import judged, record

ENTRY1, ENTRY2 = (f"/api/{version}/{TASK}/xcomEntries/json" for version in ("v1", "v2"))
EXPIRED = {"status": 401, "response": '{"detail": "Token Expired"}', "authorization": "bearer"}
TOKEN = {"status": 200, "authorization": "bearer"}
READ = {"path": ENTRY2, "operation": "v2.get_xcom_entry"}
LOGIN = {"path": "/auth/token", "operation": "create_token", "status": 201, "method": "POST"}
USER = "Basic dXNlcjp1c2Vy"
VIEWER = "Basic dmlld2VyOnZpZXdlcg=="


@pytest.mark.parametrize(
    ("request_", "headers", "expected"),
    [
        (f"GET {ENTRY2}", {"Authorization": USER}, "basic-on-v2"),
        (f"GET {ENTRY1}", {"Authorization": "Bearer a.b.c"}, "bearer-on-v1"),
        (f"GET {ENTRY1}", {"Authorization": ""}, "no-credentials"),
        (f"GET {ENTRY2}", {"Authorization": ""}, "no-credentials"),
        (f"GET {ENTRY2}", {"Authorization": "Bearer a.b.c"}, "invalid-token"),
        (f"GET {ENTRY1}", {"Authorization": BASIC}, "wrong-password"),
        (
            ("POST /auth/token", {"username": "user", "password": "no"}),
            {"Authorization": ""},
            "wrong-password",
        ),
        (("POST /api/v1/dags/etl/dagRuns", {"conf": {}}), {"Authorization": VIEWER}, "forbidden"),
        ("GET /auth/token", {}, "login-without-credentials"),
    ],
)
def test_refused_credentials_have_one_reason(
    guarded_server: FlaskClient, request_: Any, headers: dict[str, str], expected: str
) -> None:
    (found,) = play(guarded_server, [request_], **headers)

    assert (found["verdict"], rules(found)) == ("refused", [expected])
    assert found["findings"][0]["instead"]


def test_right_credentials_conform(guarded_server: FlaskClient) -> None:
    (v1,) = play(guarded_server, [f"GET {ENTRY1}"], Authorization=USER)
    login = {"username": "user", "password": "user"}
    token = guarded_server.post("/auth/token", json=login).get_json()["access_token"]
    (v2,) = play(guarded_server, [f"GET {ENTRY2}"], Authorization=f"Bearer {token}")

    assert [(each["verdict"], rules(each)) for each in (v1, v2)] == [("conforms", [])] * 2


@pytest.mark.parametrize("fault", ["", "expired_token"])
def test_expired_token_that_is_not_renewed(fault: str) -> None:
    expired = record(**READ, **EXPIRED, fault=fault)
    first, second = judged(expired, expired)

    assert [each.rule for each in first.findings] == ["token-not-renewed"]
    assert [each.rule for each in second.findings] == ["token-not-renewed"]
    assert first.verdict == ("conforms" if fault else "refused")


def test_expired_token_that_is_renewed() -> None:
    expired, *_ = judged(record(**READ, **EXPIRED), record(**LOGIN), record(**READ))

    assert (expired.verdict, expired.findings) == ("refused", ())
    assert expired.reason == "401 Unauthorized: Token Expired"


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ({}, []),
        ({"status": 404}, []),
        ({"status": 403}, ["token-not-renewed"]),
        ({"status": 503, "fault": "status"}, ["token-not-renewed"]),
        ({"authorization": "basic"}, ["token-not-renewed"]),
        ({"operation": "v2.get_version"}, ["token-not-renewed"]),
    ],
    ids=str,
)
def test_expired_token_that_is_renewed_with_another_user_agent(
    later: dict[str, Any], expected: list[str]
) -> None:
    expired, *_ = judged(
        record(**READ, **EXPIRED), record(**LOGIN, client="other"), record(**READ | TOKEN | later)
    )

    assert [each.rule for each in expired.findings] == expected


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        ("/api/v1/dags", "GET /api/v1/dags?limit=5 with the header Authorization: Basic BASE64"),
        ("/api/v2/dags", "GET /api/v2/dags?limit=5 with the header Authorization: Bearer TOKEN"),
    ],
)
def test_token_in_the_query_is_not_in_the_valid_request(
    open_server: FlaskClient, path: str, instead: str
) -> None:
    (found,) = play(open_server, [f"GET {path}?limit=5&Token=abc"], Authorization="")

    valid = [each["instead"] for each in found["findings"]]
    assert rules(found)[0] == "no-credentials" or path == "/api/v1/dags"
    assert valid
    for each in valid:
        assert instead in each
        assert "Token=" not in each


def test_token_that_another_client_renews() -> None:
    expired, _ = judged(record(**READ, **EXPIRED), record(**LOGIN, client="other"))

    assert [each.rule for each in expired.findings] == ["token-not-renewed"]


@pytest.mark.parametrize(
    ("renewed", "expected"), [(False, ["token-not-renewed"]), (True, [])], ids=["kept", "renewed"]
)
def test_fault_of_an_expired_token(
    open_server: FlaskClient, renewed: bool, expected: list[str]
) -> None:
    match = {"operation": "v2.get_xcom_entry", "client": "tests"}
    fault = {"match": match, "times": 1, "effect": {"type": "expired_token"}}
    assert open_server.post("/_emulator/faults", json=fault).status_code == 201
    login = ("POST /auth/token", {"username": "a", "password": "b"})
    found = play(open_server, [f"GET {ENTRY2}", *([login] if renewed else []), f"GET {ENTRY2}"])

    assert (found[0]["status"], found[0]["verdict"], rules(found[0])) == (401, "conforms", expected)
    assert (found[-1]["status"], rules(found[-1])) == (200, [])
