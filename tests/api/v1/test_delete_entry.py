"""DELETE …/xcomEntries/{key} removes only that entry."""

from flask.testing import FlaskClient

from tests.support.v1_calls import create, entry, error_detail, stored_values


def test_deleted_entry_is_not_found_again(client: FlaskClient) -> None:
    for key in ("a", "b"):
        create(client, key)

    answer = client.delete(entry("a"))

    assert (answer.status_code, answer.data) == (204, b"")
    assert error_detail(client.get(entry("a")), 404, "XCom entry not found") is None
    assert error_detail(client.delete(entry("a")), 404, "XCom entry not found") is None
    assert stored_values(client) == {"b": "v"}


def test_deleted_entry_can_be_created_again(client: FlaskClient) -> None:
    create(client, "k", "first")
    client.delete(entry("k"))

    assert create(client, "k", "second").get_json()["value"] == "second"


def test_delete_ignores_a_body(client: FlaskClient) -> None:
    create(client)

    answer = client.delete(entry("k"), data="{bad", content_type="application/json")

    assert answer.status_code == 204


def test_delete_with_an_unknown_parameter_is_rejected(client: FlaskClient) -> None:
    create(client)

    assert error_detail(client.delete(entry("k"), query_string={"x": 1}), 400, None) == (
        "Extra query parameter(s) x not in spec"
    )
    assert stored_values(client) == {"k": "v"}
