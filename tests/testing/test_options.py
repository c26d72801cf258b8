"""What a test requires of its server: the configuration, overridden by markers."""

import re
from pathlib import Path
from typing import Any

import pytest
from xcom_server.testing import Finding, Request, Verdict, journal
from xcom_server.testing.options import InvalidOption, Options, read

FOLDER = Path("/tests")


def request(*rules: str, **fields: Any) -> Request:
    """Return a request with findings of these rules."""
    findings = [{"rule": rule, "text": "Wrong.", "instead": "GET /b"} for rule in rules]
    texts = dict.fromkeys(("client", "body", "content_type", "response", "operation"), "")
    shown = {"number": 7, "method": "GET", "path": "/a", "query": "", "headers": {}, "status": 200}
    verdict = {"verdict": "lenient", "reason": "Because.", "fault": "", "findings": findings}
    return Request.of({**texts, **shown, **verdict, **fields})


def test_nearest_marker_overrides_the_others_and_the_configuration() -> None:
    configured = {"workers": "2", "seed": FOLDER / "ini.json", "strict": True}
    markers: list[dict[str, Any]] = [
        {"seed": "near.json"},
        {"seed": [], "threads": 3, "strict": False},
    ]

    assert read(configured, [], FOLDER) == Options(
        settings={"workers": "2"}, seed=FOLDER / "ini.json", strict=True
    )
    assert read(configured, markers, FOLDER) == Options(
        settings={"workers": "2", "threads": 3}, seed=FOLDER / "near.json"
    )


@pytest.mark.parametrize("marker", [{"auth": "none"}, {"users": "ann:secret:op"}])
def test_login_of_a_marker_replaces_that_of_the_configuration(marker: dict[str, str]) -> None:
    for configured in ({"auth": "any"}, {"users": "ben:secret:op"}):
        assert read(configured, [marker], FOLDER).settings == marker


@pytest.mark.parametrize(
    ("name", "hint"),
    [("userz", " Did you mean 'users'?"), ("qqqq", ""), ("sed", " Did you mean 'seed'?")],
)
def test_unknown_argument_of_a_marker_is_an_error(name: str, hint: str) -> None:
    with pytest.raises(InvalidOption) as error:
        read({}, [{name: 1}], FOLDER)

    assert str(error.value) == (
        f"pytest.mark.xcom: {name!r} is not allow, seed, strict or a setting of the server.{hint}"
    )


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ({"strict": "false"}, "strict must be True or False, not 'false'"),
        ({"allow": "nope"}, "allow: no rule has the id 'nope'."),
        (
            {"allow": ["basic-on-v2", "page-cuts"]},
            "allow: no rule has the id 'page-cuts'. Did you mean 'page-cut'?",
        ),
    ],
)
def test_invalid_value_of_an_option_is_an_error(marker: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption) as error:
        read({}, [marker], FOLDER)

    assert str(error.value) == f"pytest.mark.xcom: {message}"


def test_rules_that_are_allowed_are_not_reported() -> None:
    requests = [request(), request("page-cut"), request("page-cut", "basic-on-v2")]

    assert Options().disallowed(requests) == ["basic-on-v2", "page-cut"]
    for allow in ("page-cut", ["page-cut"]):
        assert read({}, [{"allow": allow}], FOLDER).disallowed(requests) == ["basic-on-v2"]


def test_report_of_many_requests_is_short() -> None:
    requests = [request() for _ in range(1000)]
    requests[99:400] = [request("a") for _ in range(301)]

    text = journal.shown(requests)

    assert re.findall(r"^(?:\d+|\.\.\. .*)", text, re.MULTILINE) == [
        "... 99 more; xcom.requests has the newest 1,000",
        *map(str, range(100, 120)),
        "... 861 more; xcom.requests has the newest 1,000",
        *map(str, range(981, 1001)),
    ]
    assert "more" not in journal.shown(requests[:40])


def test_report_has_the_response_to_the_last_request() -> None:
    long = request(response="{" + 400 * "a" + 400 * "b" + "}")

    assert journal.last_response([]) == ""
    assert journal.last_response([long, request(status=404, response="{}")]) == ""
    assert journal.last_response([request(response="")]) == ""
    assert journal.last_response([request(response='{"a":\n 1}')]) == '   Response: {"a": 1}'
    assert journal.last_response([long]) == (
        "   Response: {" + 299 * "a" + " ... " + 299 * "b" + "}"
    )


def test_report_shows_no_status_of_a_connection_that_was_reset() -> None:
    found = request(verdict="conforms", status=500, fault="reset")

    assert str(found) == "GET /a -> no response, fault reset (conforms)"


def test_report_shows_requests_with_verdicts_and_findings() -> None:
    conforming = request(verdict="conforms", query="x=1", fault="latency")

    assert conforming.verdict is Verdict.CONFORMS
    assert request("a").findings == (Finding("a", "Wrong.", "GET /b"),)
    assert journal.shown([conforming, request("a")]) == (
        "1. GET /a?x=1 -> 200, fault latency (conforms)\n"
        "2. GET /a -> 200 (lenient): Because.\n"
        "   [a] Wrong.\n"
        "   Instead: GET /b"
    )
