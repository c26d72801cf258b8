"""Every effect of a fault as `requests` sees it, from a server with four workers."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from tests.support.commands import run
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT

VALUE = "/api/v2/dags/shop/dagRuns/r/taskInstances/t/xcomEntries"
OLD = "/api/v1/dags/shop/dagRuns/r/taskInstances/t/xcomEntries"
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^\$ ((?!xcom-server).*(?:\n> .*)*)\n((?:(?!\$ |```).*\n)*)", re.MULTILINE)
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(
        tmp_path_factory.mktemp("faults"), workers=4, XCOM_AUTH="none", XCOM_EMULATOR="true"
    ) as server:
        for number in range(6):
            body = {"key": f"k{number}", "value": {"n": number}}
            assert requests.post(server.url + VALUE, json=body).status_code == 201
        yield server


@pytest.fixture
def add(live: LiveServer) -> Iterator[Callable[..., str]]:
    """Yield a function that adds a fault and returns its URL; they are removed after the test."""

    def added(effect: str, *, match: Any = None, times: int | None = None, **fields: Any) -> str:
        answer = requests.post(
            f"{live.url}/_emulator/faults",
            json={"match": match or {}, "times": times, "effect": {"type": effect, **fields}},
        )
        assert answer.status_code == 201, answer.text
        return f"{live.url}/_emulator/faults/{answer.json()['number']}"

    yield added
    requests.delete(f"{live.url}/_emulator/faults")


def applied(fault: str) -> int:
    count: int = requests.get(fault).json()["applied"]
    return count


def test_documented_examples_print_what_the_page_shows(live: LiveServer) -> None:
    """This test is the first one, because the page shows the number of the first fault."""
    examples = EXAMPLE.findall(PAGE)
    script = "".join(f"{command}\nprintf '\\0'\n" for command, _ in examples)
    script = script.replace("\n> ", "\n").replace("http://127.0.0.1:8080", live.url)

    done = run("bash", "-c", script)

    printed = [each.removesuffix("\n") for each in done.stdout.split("\0")]
    assert printed == [shown.removesuffix("\n") for _, shown in examples] + [""], done.stderr


def test_fault_is_applied_five_times_to_eight_clients_of_four_workers(
    live: LiveServer, add: Callable[..., str]
) -> None:
    fault = add("status", times=5, status=503)
    together = threading.Barrier(8)

    def client(number: int) -> list[int]:
        together.wait()
        return [requests.get(f"{live.url}{VALUE}/k1").status_code for _ in range(10)]

    with ThreadPoolExecutor(8) as pool:
        statuses = [status for found in pool.map(client, range(8)) for status in found]

    assert statuses.count(503) == 5
    assert statuses.count(200) == 75
    assert applied(fault) == 5


def test_share_is_exact_whichever_workers_respond(
    live: LiveServer, add: Callable[..., str]
) -> None:
    found = []
    for _ in range(2):
        fault = add("status", match={"share": 0.3, "seed": 7}, status=503)
        found.append([requests.get(f"{live.url}{VALUE}/k1").status_code for _ in range(12)])
        requests.delete(fault)

    assert found[0] == [200, 200, 200, 503, 503, 200, 200, 503, 503, 200, 200, 200]
    assert found[1] == found[0]


def test_retry_waits_for_retry_after_and_succeeds(
    live: LiveServer, add: Callable[..., str]
) -> None:
    fault = add("status", match={"client": "python-requests"}, times=2, status=503, retry_after=1)
    start = time.monotonic()

    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[503])))
        answer = session.get(f"{live.url}{VALUE}/k1")

    assert answer.json()["value"] == {"n": 1}
    assert time.monotonic() - start >= 2
    assert applied(fault) == 2


def test_latency_is_longer_than_the_time_out_of_a_client(
    live: LiveServer, add: Callable[..., str]
) -> None:
    add("latency", times=1, seconds=40)

    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{live.url}{VALUE}/k1", timeout=1)
    assert requests.get(f"{live.url}{VALUE}/k1", timeout=30).status_code == 200


def test_latency_is_that_of_each_of_many_requests(
    live: LiveServer, add: Callable[..., str]
) -> None:
    """40 requests to 4 workers with 4 threads each wait at the same time."""
    add("latency", match={"path": "*/k2"}, seconds=1.5)

    def seconds(_: int) -> float:
        start = time.monotonic()
        assert requests.get(f"{live.url}{VALUE}/k2").json()["value"] == {"n": 2}
        return time.monotonic() - start

    start = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        found = [*pool.map(seconds, range(40))]

    assert min(found) >= 1.5
    assert time.monotonic() - start < 40 * 1.5 / 4, "the requests waited for each other"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_reset_is_a_reset_by_peer(live: LiveServer, add: Callable[..., str], after: bool) -> None:
    key = f"reset-{after}".lower()
    add("reset", match={"method": "POST", "path": f"{VALUE}*"}, times=1, after=after)

    with pytest.raises(requests.ConnectionError, match="Connection reset by peer"):
        requests.post(live.url + VALUE, json={"key": key, "value": 1})
    found = requests.get(f"{live.url}{VALUE}/{key}")
    assert found.status_code == (200 if after else 404)
    requests.delete(f"{live.url}{VALUE}/{key}")


@pytest.mark.parametrize("headers", [PLAIN, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("place", [OLD, VALUE], ids=["v1", "v2"])
def test_truncated_body_is_shorter_than_its_length(
    live: LiveServer, add: Callable[..., str], place: str, headers: dict[str, str]
) -> None:
    complete = requests.get(f"{live.url}{place}", headers=headers, stream=True)
    fault = add("truncate")

    with requests.get(f"{live.url}{place}", headers=headers, stream=True) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Length"] == complete.headers["Content-Length"]
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            answer.content  # noqa: B018
    assert applied(fault) == 1


@pytest.mark.parametrize(("effect", "fields"), [("truncate", {}), ("latency", {"seconds": 50})])
def test_stream_cannot_be_truncated_or_held(
    live: LiveServer, add: Callable[..., str], effect: str, fields: dict[str, Any]
) -> None:
    runs = f"{live.url}/api/v2/dags/{effect}/dagRuns"
    run = {"dag_run_id": "waited", "logical_date": None}
    assert requests.post(runs, json=run).status_code == 200
    fault = add(effect, **fields)

    lines = requests.get(f"{runs}/waited/wait?interval=0.1").text.splitlines()

    assert json.loads(lines[-1])["state"] == "success"
    assert applied(fault) == 0


def test_response_without_a_body_cannot_be_truncated(
    live: LiveServer, add: Callable[..., str]
) -> None:
    body = {"key": "gone", "value": 1}
    assert requests.post(live.url + VALUE, json=body).status_code == 201
    fault = add("truncate")

    entry = f"{live.url}{OLD}/gone"
    assert requests.head(entry).status_code == 200
    assert requests.delete(entry).status_code == 204
    assert applied(fault) == 0


@pytest.mark.parametrize("headers", [PLAIN, GZIP], ids=["plain", "gzip"])
def test_malformed_json_is_a_decoding_error(
    live: LiveServer, add: Callable[..., str], headers: dict[str, str]
) -> None:
    add("malformed_json")

    for place in (OLD, VALUE):
        answer = requests.get(f"{live.url}{place}/k1", headers=headers)
        assert answer.headers["Content-Type"] == "application/json"
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()


def test_journal_names_the_faults(live: LiveServer, add: Callable[..., str]) -> None:
    requests.delete(f"{live.url}/_emulator/requests")
    for effect, fields in (("latency", {"seconds": 0.01}), ("truncate", {}), ("reset", {})):
        add(effect, times=1, **fields)

    answers: list[int | str] = []
    for _ in range(4):
        try:
            answers.append(requests.get(f"{live.url}{OLD}/k1").status_code)
        except requests.ConnectionError as error:
            answers.append(type(error).__name__)
        except requests.exceptions.ChunkedEncodingError:
            answers.append("truncated")

    journal = requests.get(f"{live.url}/_emulator/requests").json()["requests"]
    assert answers == [200, "truncated", "ConnectionError", 200]
    assert [each["fault"] for each in journal] == ["latency", "truncate", "reset", ""]


def test_log_has_no_traceback(live: LiveServer) -> None:
    assert "Traceback" not in live.log.read_text()
