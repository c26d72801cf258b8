"""What a client may ask for with ETag, If-Match and If-None-Match, in both versions."""

import threading
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import v2_calls as v2
from tests.support.v1_calls import create, entries, entry

ENTRY = {"v1": entry("k"), "v2": v2.entry("k")}
ENTRIES = {"v1": entries(), "v2": v2.entries()}
VERSIONS = pytest.mark.parametrize("version", ENTRY)

Headers = dict[str, str]


def if_match(*tags: str) -> Headers:
    return {"If-Match": ", ".join(tags)}


def patch(client: FlaskClient, version: str, value: str, headers: Headers) -> TestResponse:
    return client.patch(ENTRY[version], json={"value": value}, headers=headers)


def tag_of(client: FlaskClient, version: str) -> str:
    return client.get(ENTRY[version]).headers["ETag"]


@VERSIONS
def test_every_answer_about_one_entry_carries_its_tag(client: FlaskClient, version: str) -> None:
    created = client.post(ENTRIES[version], json={"key": "k", "value": "1"}).headers["ETag"]

    assert tag_of(client, version) == created == tag_of(client, "v1")
    changed = patch(client, version, "2", {}).headers["ETag"]
    assert tag_of(client, version) == changed != created
    assert "ETag" not in client.get(ENTRIES[version]).headers


@VERSIONS
def test_an_entry_that_is_written_again_or_anew_has_a_tag_it_never_had(
    client: FlaskClient, version: str
) -> None:
    seen = set()
    for _ in range(3):
        create(client)
        seen.add(tag_of(client, version))
        seen.add(patch(client, version, "same", {}).headers["ETag"])
        client.delete(ENTRY[version])

    assert len(seen) == 6


@VERSIONS
def test_a_change_for_the_tag_that_is_stored_is_made(client: FlaskClient, version: str) -> None:
    create(client)

    for asked in ("{}", "*", '"0", {}'):
        headers = if_match(asked.format(tag_of(client, version)))
        assert patch(client, version, "new", headers).status_code == 200
    assert (
        client.delete(ENTRY[version], headers=if_match(tag_of(client, version))).status_code == 204
    )


@VERSIONS
@pytest.mark.parametrize(
    "tag",
    [
        '"0"',
        '"1"',
        '"ffffffffffffffff"',
        '"99999999999999999999"',
        '"-1"',
        '"01"',
        '"x"',
        '""',
        "nonsense",
        'W/"1"',
        '"\\u0661"',
    ],
)
def test_a_change_for_another_tag_is_refused_and_changes_nothing(
    client: FlaskClient, version: str, tag: str
) -> None:
    create(client)
    before = client.get(ENTRY[version])

    for answer in (
        patch(client, version, "new", if_match(tag)),
        client.delete(ENTRY[version], headers=if_match(tag)),
    ):
        assert answer.status_code == 412
        assert answer.headers["ETag"] == before.headers["ETag"]  # what to ask for next
        assert "If-Match" in answer.get_json()["detail"]
    assert client.get(ENTRY[version]).data == before.data


@VERSIONS
def test_a_header_that_names_no_tag_or_too_many_changes_nothing(
    client: FlaskClient, version: str
) -> None:
    create(client)
    many = [f'"{number:x}"' for number in range(101)]

    assert patch(client, version, "new", {"If-Match": ""}).status_code == 412
    assert patch(client, version, "new", if_match(*many)).status_code == 400
    assert patch(client, version, "new", if_match(*many[1:])).status_code == 412
    assert client.get(ENTRY["v1"]).get_json()["value"] == "v"


@VERSIONS
def test_a_weak_tag_is_not_strong_enough_to_change_by(client: FlaskClient, version: str) -> None:
    create(client)

    headers = if_match("W/" + tag_of(client, version))

    assert patch(client, version, "new", headers).status_code == 412


@VERSIONS
def test_an_entry_that_is_not_there_is_not_found_whatever_was_asked_for(
    client: FlaskClient, version: str
) -> None:
    for headers in (if_match('"1"'), if_match("*"), {"If-None-Match": "*"}):
        assert patch(client, version, "new", headers).status_code == 404
        assert client.delete(ENTRY[version], headers=headers).status_code == 404


@VERSIONS
def test_an_entry_that_should_not_be_there_is_a_412_for_who_asks_so(
    client: FlaskClient, version: str
) -> None:
    body, headers = {"key": "k", "value": "1"}, {"If-None-Match": "*"}

    assert client.post(ENTRIES[version], json=body, headers=headers).status_code in (200, 201)
    assert client.post(ENTRIES[version], json=body, headers=headers).status_code == 412
    assert client.post(ENTRIES[version], json=body).status_code == 409
    assert patch(client, version, "new", headers).status_code == 412
    assert client.get(ENTRY["v2"]).get_json()["value"] == "1"


@VERSIONS
def test_a_read_is_answered_whatever_it_asks_for(client: FlaskClient, version: str) -> None:
    create(client)
    tag = tag_of(client, version)

    for headers in (if_match('"1"'), {"If-None-Match": "*"}, {"If-None-Match": tag}):
        assert client.get(ENTRY[version], headers=headers).status_code == 200


@VERSIONS
def test_of_many_that_change_the_same_tag_exactly_one_does(
    make_client: Callable[..., FlaskClient], version: str
) -> None:
    app = make_client().application
    create(app.test_client())
    headers = if_match(tag_of(app.test_client(), version))
    statuses: list[int] = []

    def change(number: int) -> None:
        statuses.append(patch(app.test_client(), version, str(number), headers).status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [412] * 7
