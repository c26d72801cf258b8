"""Prometheus metrics: requests, their durations, the store's durations, connections in use.

Workers write their numbers to a shared folder, and the one that is scraped adds them up.  A full
disk must not fail a start or a request: every metric has a label, since one without touches the
folder when it is declared, and errors of any kind while recording are suppressed.
"""

import os
import struct
import time
from contextlib import suppress
from functools import cached_property
from typing import Any

import prometheus_client
from flask import Flask, Response, request
from prometheus_client import Counter, Gauge, Histogram, multiprocess

from xcom_server import __version__
from xcom_server.observability import request_state, shared
from xcom_server.storage.store import Observer

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)  # seconds

REQUESTS = Counter("xcom_requests_total", "Requests answered.", ["operation", "status"])
REQUEST_DURATION = Histogram(
    "xcom_request_duration_seconds", "Time to answer a request.", ["operation"], buckets=_BUCKETS
)
STORE_DURATION = Histogram(
    "xcom_store_duration_seconds",
    "Time of a statement or transaction, with waits for locks.",
    ["kind"],
    buckets=_BUCKETS,
)
POOL = Gauge(
    "xcom_pool_connections",
    "Connections to the database: in use by requests (in_use), and allowed to the workers (max).",
    ["state"],
    multiprocess_mode="livesum",
)
BUILD_INFO = Gauge(
    "xcom_build_info", "The version of the server.", ["version"], multiprocess_mode="max"
)


class StoreMetrics(Observer):
    """Records what the store reports.

    Finding a metric by its labels takes as long as recording, so they are found once.
    """

    @cached_property
    def _durations(self) -> dict[str, Histogram]:
        return {kind: STORE_DURATION.labels(kind) for kind in ("read", "write")}

    @cached_property
    def _in_use(self) -> Gauge:
        return POOL.labels("in_use")

    def operation(self, kind: str, seconds: float) -> None:
        """Record a statement or transaction; `kind` is `read` or `write`."""
        with suppress(Exception):
            self._durations[kind].observe(seconds)

    def connection_taken(self) -> None:
        """Record that a connection of the pool is in use."""
        with suppress(Exception):
            self._in_use.inc()

    def connection_returned(self) -> None:
        """Record that a connection is in the pool again."""
        with suppress(Exception):
            self._in_use.dec()


def instrument(app: Flask, pool_size: int) -> None:
    """Record the requests of an application, and serve /metrics."""
    with suppress(Exception):
        BUILD_INFO.labels(__version__).set(1)
        POOL.labels("in_use").set(0)
        POOL.labels("max").set(pool_size)
    app.after_request(_record_request)
    app.add_url_rule("/metrics", "metrics", _metrics)


def _record_request(response: Response) -> Response:
    operation = (request.endpoint or "unrouted").replace(".", "_", 1)  # as v1_getXComValue
    seconds = time.perf_counter() - request_state.current().started
    with suppress(Exception):
        REQUESTS.labels(operation, str(response.status_code)).inc()
        REQUEST_DURATION.labels(operation).observe(seconds)
    return response


def _metrics() -> Response:
    registry: Any = prometheus_client.REGISTRY
    try:
        if shared.METRICS_FOLDER in os.environ:
            registry = prometheus_client.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(
            prometheus_client.generate_latest(registry),
            content_type=prometheus_client.CONTENT_TYPE_LATEST,
        )
    except (OSError, ValueError, struct.error):  # a file written in part, or no folder
        return Response("The files of the metrics cannot be read.\n", 503, mimetype="text/plain")
