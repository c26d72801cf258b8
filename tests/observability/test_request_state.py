"""The state of a request is created once, at first access."""

import time

import pytest
from flask import Flask
from xcom_server.observability import request_state

app = Flask("any")


def test_each_request_has_its_own_state() -> None:
    with app.test_request_context():
        first = request_state.current()
        assert request_state.current() is first
    with app.test_request_context():
        assert request_state.current().request_id != first.request_id


def test_clock_starts_at_first_access() -> None:
    with app.test_request_context():
        before = time.perf_counter()
        assert before <= request_state.current().started <= time.perf_counter()


@pytest.mark.parametrize(
    ("client_id", "is_kept"),
    [
        ("a-1", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("a b", False),
        ("", False),
        ("é", False),
    ],
)
def test_only_a_valid_client_id_is_kept(client_id: str, is_kept: bool) -> None:
    with app.test_request_context(headers={"X-Request-Id": client_id}):
        assert (request_state.current().request_id == client_id) is is_kept


def test_unauthorized_request_sees_no_dags() -> None:
    with app.test_request_context():
        assert request_state.current().visible_dag_ids == frozenset()
