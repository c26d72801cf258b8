"""What Prometheus may ask: requests, their times, the store's times, and connections in use.

With several workers, each writes its numbers to files of one folder and whichever is asked adds
them up (prometheus_client's multiprocess mode).  Every metric has a label, since one without
touches the folder when it is declared, and a worker must start on a full disk.
"""

import functools
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask, Response, g, request
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
from xcom_server.observability.multiproc_dir import FOLDER
from xcom_server.storage.observer import Observer

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)

REQUESTS = Counter("xcom_requests", "Requests answered.", ["operation", "status"])
REQUEST_SECONDS = Histogram(
    "xcom_request_seconds", "How long a request took to answer.", ["operation"], buckets=SECONDS)
STORE_SECONDS = Histogram(
    "xcom_store_seconds", "How long a statement or transaction took, waiting for a turn included.",
    ["kind"], buckets=SECONDS)
POOL = Gauge(
    "xcom_pool_connections", "Connections to the database: that requests are using (used), and that"
    " the workers may have (most).", ["are"], multiprocess_mode="livesum")
BUILD = Gauge("xcom_build", "The version of the server, as a label.", ["version"],
              multiprocess_mode="max")

UNROUTED = "none"
"""Stands for what no route answered."""


def _harmless(count: Callable[..., None]) -> Callable[..., None]:
    """Return what counts, and where the disk is full does not: no request fails for that."""
    @functools.wraps(count)
    def harmless(*args: Any) -> None:
        with suppress(Exception):  # a file that was made by half raises anything
            count(*args)
    return harmless


class StoreMetrics(Observer):
    """Counts what a store reports."""

    @_harmless
    def operation(self, kind: str, seconds: float) -> None:
        """Count a statement or transaction."""
        _of(STORE_SECONDS, kind).observe(seconds)

    @_harmless
    def connection_taken(self) -> None:
        """Count a connection that is in use."""
        _of(POOL, "used").inc()

    @_harmless
    def connection_returned(self) -> None:
        """Count a connection that is not in use any more."""
        _of(POOL, "used").dec()


def watch(app: Flask, pool_size: int) -> None:
    """Count what an application answers, and answer /metrics."""
    _describe(pool_size)
    app.after_request(_counted)
    app.add_url_rule("/metrics", "metrics", _answer)


@_harmless
def _describe(pool_size: int) -> None:
    BUILD.labels(__version__).set(1)
    POOL.labels("used").set(0)
    POOL.labels("most").set(pool_size)


def _counted(response: Response) -> Response:
    _count(_operation(), str(response.status_code), time.perf_counter() - g.started)
    return response


@_harmless
def _count(operation: str, status: str, seconds: float) -> None:
    _of(REQUESTS, operation, status).inc()
    _of(REQUEST_SECONDS, operation).observe(seconds)


@functools.cache  # finding it takes as long as counting
def _of(metric: Any, *labels: str) -> Any:
    return metric.labels(*labels)


def _operation() -> str:
    """Return the version and operationId that answered, or the name of another route."""
    return (request.endpoint or UNROUTED).replace(".", "_", 1)


def _answer() -> Response:
    registry: Any = REGISTRY
    try:
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    except (OSError, ValueError, struct.error):  # such a file again, or no folder
        return Response("The files of the metrics cannot be read.\n", 503, mimetype="text/plain")
