"""Prometheus metrics: requests, their durations, the store's durations, connections in use.

Each worker process writes its numbers to files in a shared folder, and the worker that gets the
scrape adds them up (prometheus_client's multiprocess mode).  Every metric has a label: one
without touches the folder when it is declared, and a worker must start on a full disk.
"""

import functools
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask, Response, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from xcom_server import __version__
from xcom_server.observability import request_state
from xcom_server.observability.multiproc_dir import FOLDER
from xcom_server.storage.store import Observer

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)
"""Upper bounds of the histograms, in seconds."""

REQUESTS = Counter("xcom_requests_total", "Requests answered.", ["operation", "status"])
REQUEST_DURATION = Histogram(
    "xcom_request_duration_seconds", "Time to answer a request.", ["operation"], buckets=BUCKETS)
STORE_DURATION = Histogram(
    "xcom_store_duration_seconds", "Time of a statement or transaction, with waits for locks.",
    ["kind"], buckets=BUCKETS)
POOL = Gauge("xcom_pool_connections", "Connections to the database: in use by requests (in_use),"
             " and allowed to the workers (max).", ["state"], multiprocess_mode="livesum")
BUILD_INFO = Gauge("xcom_build_info", "The version of the server.", ["version"],
                   multiprocess_mode="max")

UNROUTED = "unrouted"
"""The operation of a request that matched no route."""


def _best_effort(record: Callable[..., None]) -> Callable[..., None]:
    """Decorate a function so that its failure, say on a full disk, does not fail a request."""
    @functools.wraps(record)
    def wrapper(*args: Any) -> None:
        with suppress(Exception):  # a file that was written in part raises all kinds of errors
            record(*args)
    return wrapper


class StoreMetrics(Observer):
    """Records what the store reports."""

    @_best_effort
    def operation(self, kind: str, seconds: float) -> None:
        """Record a statement or transaction; `kind` is `read` or `write`."""
        STORE_DURATION.labels(kind).observe(seconds)

    @_best_effort
    def connection_taken(self) -> None:
        """Record that a connection of the pool is in use."""
        POOL.labels("in_use").inc()

    @_best_effort
    def connection_returned(self) -> None:
        """Record that a connection is in the pool again."""
        POOL.labels("in_use").dec()


def instrument(app: Flask, pool_size: int) -> None:
    """Record the requests of an application, and serve /metrics."""
    _init_gauges(pool_size)
    app.after_request(_after_request)
    app.add_url_rule("/metrics", "metrics", _metrics)


@_best_effort
def _init_gauges(pool_size: int) -> None:
    BUILD_INFO.labels(__version__).set(1)
    POOL.labels("in_use").set(0)
    POOL.labels("max").set(pool_size)


def _after_request(response: Response) -> Response:
    operation = (request.endpoint or UNROUTED).replace(".", "_", 1)  # as v1_getXComValue
    seconds = time.perf_counter() - request_state.current().started
    _record_request(operation, str(response.status_code), seconds)
    return response


@_best_effort
def _record_request(operation: str, status: str, seconds: float) -> None:
    REQUESTS.labels(operation, status).inc()
    REQUEST_DURATION.labels(operation).observe(seconds)


def _metrics() -> Response:
    registry: Any = REGISTRY
    try:
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    except (OSError, ValueError, struct.error):  # a file written in part, or no folder
        return Response("The files of the metrics cannot be read.\n", 503, mimetype="text/plain")
