"""Conditional requests with ETag, If-Match and If-None-Match, in both versions."""

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


def etag(client: FlaskClient, version: str) -> str:
    return client.get(ENTRY[version]).headers["ETag"]


@VERSIONS
def test_every_response_about_one_entry_has_its_etag(client: FlaskClient, version: str) -> None:
    created = client.post(ENTRIES[version], json={"key": "k", "value": "1"}).headers["ETag"]

    assert etag(client, version) == created == etag(client, "v1")
    changed = patch(client, version, "2", {}).headers["ETag"]
    assert etag(client, version) == changed != created
    assert "ETag" not in client.get(ENTRIES[version]).headers


@VERSIONS
def test_every_write_gives_an_entry_a_new_etag(client: FlaskClient, version: str) -> None:
    seen = set()
    for _ in range(3):
        create(client)
        seen.add(etag(client, version))
        seen.add(patch(client, version, "same", {}).headers["ETag"])
        client.delete(ENTRY[version])

    assert len(seen) == 6


@VERSIONS
def test_write_with_matching_if_match_succeeds(client: FlaskClient, version: str) -> None:
    create(client)

    for condition in ("{}", "*", '"0", {}'):
        headers = if_match(condition.format(etag(client, version)))
        assert patch(client, version, "new", headers).status_code == 200
    assert client.delete(ENTRY[version], headers=if_match(etag(client, version))).status_code == 204


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
def test_write_with_mismatched_if_match_changes_nothing(
    client: FlaskClient, version: str, tag: str
) -> None:
    create(client)
    before = client.get(ENTRY[version])

    for answer in (
        patch(client, version, "new", if_match(tag)),
        client.delete(ENTRY[version], headers=if_match(tag)),
    ):
        assert answer.status_code == 412
        assert answer.headers["ETag"] == before.headers["ETag"]  # the tag to retry with
        assert "If-Match" in answer.get_json()["detail"]
    assert client.get(ENTRY[version]).data == before.data


@VERSIONS
def test_if_match_without_tags_or_with_too_many_is_rejected(
    client: FlaskClient, version: str
) -> None:
    create(client)
    many = [f'"{number:x}"' for number in range(101)]

    assert patch(client, version, "new", {"If-Match": ""}).status_code == 412
    assert patch(client, version, "new", if_match(*many)).status_code == 400
    assert patch(client, version, "new", if_match(*many[1:])).status_code == 412
    assert client.get(ENTRY["v1"]).get_json()["value"] == "v"


@VERSIONS
def test_weak_etag_never_matches_if_match(client: FlaskClient, version: str) -> None:
    create(client)

    headers = if_match("W/" + etag(client, version))

    assert patch(client, version, "new", headers).status_code == 412


@VERSIONS
def test_missing_entry_is_404_despite_conditional_headers(
    client: FlaskClient, version: str
) -> None:
    for headers in (if_match('"1"'), if_match("*"), {"If-None-Match": "*"}):
        assert patch(client, version, "new", headers).status_code == 404
        assert client.delete(ENTRY[version], headers=headers).status_code == 404


@VERSIONS
def test_existing_entry_with_if_none_match_star_is_412(client: FlaskClient, version: str) -> None:
    body, headers = {"key": "k", "value": "1"}, {"If-None-Match": "*"}

    assert client.post(ENTRIES[version], json=body, headers=headers).status_code in (200, 201)
    assert client.post(ENTRIES[version], json=body, headers=headers).status_code == 412
    assert client.post(ENTRIES[version], json=body).status_code == 409
    assert patch(client, version, "new", headers).status_code == 412
    assert client.get(ENTRY["v2"]).get_json()["value"] == "1"


@VERSIONS
def test_get_ignores_conditional_headers(client: FlaskClient, version: str) -> None:
    create(client)
    tag = etag(client, version)

    for headers in (if_match('"1"'), {"If-None-Match": "*"}, {"If-None-Match": tag}):
        assert client.get(ENTRY[version], headers=headers).status_code == 200


@VERSIONS
def test_one_of_concurrent_writes_with_the_same_etag_wins(
    make_client: Callable[..., FlaskClient], version: str
) -> None:
    app = make_client().application
    create(app.test_client())
    headers = if_match(etag(app.test_client(), version))
    statuses: list[int] = []

    def change(number: int) -> None:
        statuses.append(patch(app.test_client(), version, str(number), headers).status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [412] * 7
