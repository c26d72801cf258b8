"""Metrics: the gauge of the connections, the version, and errors while recording."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, create_engine
from xcom_server import __version__
from xcom_server.observability import metrics

from tests.support.v1_calls import create, entries
from tests.support.waiting import until


def value_of(client: FlaskClient, metric: str) -> float:
    """Return the value of a metric with its labels, as /metrics has it."""
    for line in client.get("/metrics").text.splitlines():
        name, _, value = line.rpartition(" ")
        if name == metric:
            return float(value)
    raise AssertionError(f"/metrics does not have {metric}")


@contextmanager
def locked(database_url: str) -> Iterator[Connection]:
    """Hold SQLite's lock, so that writers wait with a connection of the pool."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


def test_gauge_counts_the_connections_that_requests_use(
    make_client: Callable[..., FlaskClient], database_url: str
) -> None:
    client = make_client(lock_timeout_seconds=180)
    in_use = 'xcom_pool_connections{state="in_use"}'
    statuses: list[int] = []

    with locked(database_url):
        writer = threading.Thread(
            target=lambda: statuses.append(create(client.application.test_client()).status_code)
        )
        writer.start()
        until(lambda: value_of(client, in_use) == 1)
    writer.join()

    assert statuses == [200]
    assert value_of(client, in_use) == 0


@pytest.mark.parametrize("connections", [3, 7])
def test_gauge_has_the_size_of_the_pool(
    make_client: Callable[..., FlaskClient], connections: int
) -> None:
    client = make_client(pool_size=connections)

    assert value_of(client, 'xcom_pool_connections{state="max"}') == connections


def test_build_info_is_labeled_with_the_version(client: FlaskClient) -> None:
    assert value_of(client, f'xcom_build_info{{version="{__version__}"}}') == 1


def test_request_succeeds_though_no_metric_can_be_recorded(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def labels(self, *_: str) -> None:
            raise OSError("no space left on device")

    for name in ("REQUESTS", "REQUEST_DURATION", "STORE_DURATION", "POOL", "BUILD_INFO"):
        monkeypatch.setattr(metrics, name, Broken())

    observer = metrics.StoreMetrics()
    observer.connection_taken()
    observer.connection_returned()
    observer.operation("read", 0.1)
    assert client.get(entries()).status_code == 200


@pytest.mark.parametrize("histogram", ["xcom_request", "xcom_store"])
def test_duration_histograms_have_fixed_buckets(client: FlaskClient, histogram: str) -> None:
    """Dashboards and alerts refer to these bounds, in seconds."""
    client.get(entries())

    text = client.get("/metrics").text

    bounds = re.findall(
        rf'^{histogram}_duration_seconds_bucket{{.*le="([^"]+)"', text, re.MULTILINE
    )
    expected = "0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.0 5.0 +Inf"
    assert " ".join(bounds[:13]) == expected
