"""PATCH …/xcomEntries/{key} changes only the value."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.v1_calls import create, entries, entry, error_detail, stored_values


@pytest.fixture
def created(client: FlaskClient) -> dict[str, Any]:
    """Return the response to the creation of an entry with the value `old`."""
    return create(client, "k", "old").get_json()  # type: ignore[no-any-return]


@pytest.mark.parametrize("value", ["new", "", None, "żółć"])
def test_update_changes_only_the_value(
    client: FlaskClient, created: dict[str, Any], value: str | None
) -> None:
    answer = client.patch(entry("k"), json={"value": value})

    assert answer.status_code == 200
    assert answer.get_json() == client.get(entry("k")).get_json() == {**created, "value": value}


def test_whole_entry_can_be_sent_with_a_new_value(
    client: FlaskClient, created: dict[str, Any]
) -> None:
    for mask in (None, ""):
        query = {} if mask is None else {"update_mask": mask}
        answer = client.patch(
            entry("k"), json={**created, "value": f"new {mask}"}, query_string=query
        )

        assert answer.get_json() == {**created, "value": f"new {mask}"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "other"),
        ("dag_id", "other"),
        ("task_id", "other"),
        ("map_index", 0),
        ("execution_date", "2024-01-02T00:00:00Z"),
        ("timestamp", "2024-01-02T00:00:00Z"),
    ],
)
def test_change_of_another_field_is_rejected(
    client: FlaskClient, created: dict[str, Any], field: str, value: Any
) -> None:
    detail = error_detail(client.patch(entry("k"), json={"value": "new", field: value}), 400)

    assert detail == f"'{field}' is unknown or cannot be updated."
    assert stored_values(client) == {"k": "old"}


@pytest.mark.parametrize("body", [{}, {"key": "k"}])
def test_body_without_a_value_is_rejected(
    client: FlaskClient, created: dict[str, Any], body: dict[str, str]
) -> None:
    detail = error_detail(client.patch(entry("k"), json=body), 400)

    assert detail == "{'value': ['Missing data for required field.']}"


def test_unknown_field_is_rejected(client: FlaskClient, created: dict[str, Any]) -> None:
    detail = error_detail(client.patch(entry("k"), json={"value": "new", "bogus": 1}), 400)

    assert detail == "{'bogus': ['Unknown field.']}"
    assert stored_values(client) == {"k": "old"}


@pytest.mark.parametrize(
    "mask",
    [
        "value",
        "%20value%20",
        "value,value",
        "value%2Cvalue",
        "key&update_mask=value",
        "value,%20value",
    ],
)
def test_update_mask_with_only_value_is_accepted(
    client: FlaskClient, created: dict[str, Any], mask: str
) -> None:
    answer = client.patch(f"{entry('k')}?update_mask={mask}", json={"value": "new"})

    assert answer.get_json() == {**created, "value": "new"}


def test_update_mask_ignores_other_fields_of_the_body(
    client: FlaskClient, created: dict[str, Any]
) -> None:
    rest = {"key": "other", "dag_id": "other", "timestamp": "1999-01-01T00:00:00Z", "bogus": 1}

    answer = client.patch(
        entry("k"), json={"value": "new", **rest}, query_string={"update_mask": "value"}
    )

    assert answer.get_json() == {**created, "value": "new"}


@pytest.mark.parametrize(
    ("mask", "name"),
    [
        ("foo", "foo"),
        ("key", "key"),
        ("dag_id", "dag_id"),
        ("timestamp", "timestamp"),
        ("execution_date", "execution_date"),
        ("map_index", "map_index"),
        ("Value", "Value"),
        ("value,foo", "foo"),
        ("foo,value", "foo"),
        ("value%2Ckey", "key"),
        ("value,", ""),
        (",value", ""),
        ("value&update_mask=foo", "foo"),
        ("%20foo%20", "foo"),
    ],
)
def test_update_mask_with_another_field_is_rejected(
    client: FlaskClient, created: dict[str, Any], mask: str, name: str
) -> None:
    answer = client.patch(f"{entry('k')}?update_mask={mask}", json={**created, "value": "new"})

    assert error_detail(answer, 400) == f"'{name}' is unknown or cannot be updated."
    assert stored_values(client) == {"k": "old"}


def test_update_mask_with_a_field_missing_from_the_body_is_rejected(
    client: FlaskClient, created: dict[str, Any]
) -> None:
    answer = client.patch(entry("k"), json={"key": "k"}, query_string={"update_mask": "value"})

    assert error_detail(answer, 400) == "'value' is unknown or cannot be updated."


def test_missing_entry_is_not_found(client: FlaskClient, created: dict[str, Any]) -> None:
    for path in (entry("other"), entry("k", task_id="other"), entry("k", dag_run_id="other")):
        assert (
            error_detail(client.patch(path, json={"value": "new"}), 404, "XCom entry not found")
            is None
        )


PRECISE = "2024-01-31T12:00:00.769567+00:00"


@pytest.mark.parametrize(
    "cut",
    [
        "2024-01-31T12:00:00.769Z",
        "2024-01-31T12:00:00.770Z",
        "2024-01-31T12:00:00Z",
        "2024-01-31T12:00:00.769567000Z",
        "2024-01-31T13:00:00.769+01:00",
    ],
)
@pytest.mark.parametrize("stored_in_run", [False, True], ids=["timestamp", "execution_date"])
def test_date_that_a_client_has_cut_can_be_sent_back(
    client: FlaskClient, cut: str, stored_in_run: bool
) -> None:
    path = entries(dag_run_id="cut")
    dates = {"timestamp": PRECISE, "execution_date": PRECISE}
    read = client.post(path, json={"key": "k", "value": "old", **dates}).get_json()
    field = "execution_date" if stored_in_run else "timestamp"

    for sent in ({field: cut}, {"timestamp": cut, "execution_date": cut}):
        answer = client.patch(f"{path}/k", json={**read, **sent, "value": "new"})

        assert answer.get_json() == {**read, "value": "new"}
    again = client.post(path, json={**read, "key": "other", "execution_date": cut})
    assert again.get_json() == {**read, "key": "other"}


@pytest.mark.parametrize("changed", ["2024-01-31T12:00:00.771Z", "2024-01-31T12:00:02Z"])
def test_other_date_with_fewer_digits_is_rejected(client: FlaskClient, changed: str) -> None:
    path = entries(dag_run_id="cut")
    dates = {"timestamp": PRECISE, "execution_date": PRECISE}
    client.post(path, json={"key": "k", "value": "old", **dates})

    for field in dates:
        detail = error_detail(client.patch(f"{path}/k", json={"value": "x", field: changed}), 400)
        assert detail == f"'{field}' is unknown or cannot be updated."
    assert client.get(f"{path}/k").get_json()["value"] == "old"


@pytest.mark.parametrize("number", ["-1.0", "-1", "-10e-1"])
def test_whole_number_is_an_integer(
    client: FlaskClient, created: dict[str, Any], number: str
) -> None:
    body = f'{{"map_index": {number}, "value": "new", "key": "k"}}'

    answer = client.patch(entry("k"), data=body, content_type="application/json")

    assert answer.get_json() == {**created, "value": "new"}
    other = client.post(entries(), data=body.replace('"k"', '"l"'), content_type="application/json")
    assert other.get_json()["map_index"] == -1


def test_fraction_is_not_an_integer(client: FlaskClient, created: dict[str, Any]) -> None:
    detail = error_detail(client.patch(entry("k"), json={"map_index": 0.5, "value": "new"}), 400)

    assert detail == "0.5 is not of type 'integer' - 'map_index'"
