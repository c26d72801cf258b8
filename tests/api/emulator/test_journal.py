"""The journal of requests: filters, verdicts and one request in full."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2

REQUESTS = "/_emulator/requests"


@pytest.fixture
def client(emulator: FlaskClient) -> FlaskClient:
    """Return a client that has sent four requests."""
    emulator.get("/api/v1/version", headers={"User-Agent": "Curl/8"})
    emulator.get("/api/v1/dags?limit=5", headers={"User-Agent": "python-requests/2"})
    emulator.get("/api/v2/dags?limit=x", headers={"User-Agent": "python-requests/2"})
    emulator.get("/api/v2/nothing", headers={"User-Agent": "python-requests/2"})
    return emulator


def listed(client: FlaskClient, query: str = "") -> dict[str, Any]:
    answer = client.get(f"{REQUESTS}?{query}")
    assert answer.status_code == 200
    return answer.get_json()  # type: ignore[no-any-return]


def paths(client: FlaskClient, query: str = "") -> list[str]:
    return [each["path"] for each in listed(client, query)["requests"]]


def test_requests_are_listed_with_their_verdicts(client: FlaskClient) -> None:
    found = listed(client)

    assert [(each["path"], each["verdict"]) for each in found["requests"]] == [
        ("/api/v1/version", "conforms"),
        ("/api/v1/dags", "lenient"),
        ("/api/v2/dags", "refused"),
        ("/api/v2/nothing", "refused"),
    ]
    assert found["total_entries"] == 4
    assert found["last"] == found["requests"][-1]["number"]
    assert found["requests"][1]["query"] == "limit=5"
    assert found["requests"][1]["headers"]["User-Agent"] == "python-requests/2"
    assert found["requests"][1]["total_entries"] == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("client=curl", ["/api/v1/version"]),
        ("operation=v1.get_dags", ["/api/v1/dags"]),
        ("operation=get_dags", ["/api/v1/dags", "/api/v2/dags"]),
        ("operation=v1.*", ["/api/v1/version", "/api/v1/dags"]),
        ("operation=", ["/api/v2/nothing"]),
        ("verdict=refused", ["/api/v2/dags", "/api/v2/nothing"]),
        ("verdict=lenient", ["/api/v1/dags"]),
        ("verdict=refused&operation=get_dags", ["/api/v2/dags"]),
        ("limit=1", ["/api/v2/nothing"]),
        ("limit=1&client=curl", ["/api/v1/version"]),
    ],
)
def test_filters(client: FlaskClient, query: str, expected: list[str]) -> None:
    assert paths(client, query) == expected


def test_total_is_that_of_the_filter(client: FlaskClient) -> None:
    found = listed(client, "verdict=refused&limit=1")

    assert (len(found["requests"]), found["total_entries"]) == (1, 2)


def test_later_requests_are_listed_after_a_number(client: FlaskClient) -> None:
    last = listed(client)["last"]
    assert listed(client, f"after={last}") == {"requests": [], "total_entries": 0, "last": last}

    client.get("/api/v1/health")

    assert paths(client, f"after={last}") == ["/api/v1/health"]


def test_one_request(client: FlaskClient) -> None:
    *_, expected = listed(client)["requests"]

    answer = client.get(f"{REQUESTS}/{expected['number']}")

    assert (answer.status_code, answer.get_json()) == (200, expected)


@pytest.mark.parametrize("number", ["1000000", "999999999"])
def test_a_number_that_is_not_in_the_journal(client: FlaskClient, number: str) -> None:
    answer = client.get(f"{REQUESTS}/{number}")

    assert v1.error_detail(answer, 404, "Not Found") == f"Request {number} is not in the journal."


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "after=-1", "after=x", "verdict=bad", "page=2"]
)
def test_invalid_parameters(client: FlaskClient, query: str) -> None:
    assert client.get(f"{REQUESTS}?{query}").status_code == 400


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5"])
def test_invalid_numbers(client: FlaskClient, number: str) -> None:
    assert client.get(f"{REQUESTS}/{number}").status_code in (400, 404)


def test_journal_can_be_emptied(client: FlaskClient) -> None:
    last = listed(client)["last"]
    answer = client.delete(REQUESTS)

    assert (answer.status_code, answer.data) == (204, b"")
    assert listed(client) == {"requests": [], "total_entries": 0, "last": 0}
    client.get(v2.entries())
    assert paths(client, f"after={last}") == [v2.entries()]


def test_reset_empties_the_journal(client: FlaskClient) -> None:
    assert client.post("/_emulator/reset").status_code == 204

    assert paths(client) == []
