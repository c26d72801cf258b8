"""What Prometheus may ask: requests, their times, the store's times, and connections in use.

With several workers, each writes its numbers to files of one folder and whichever is asked adds
them up (prometheus_client's multiprocess mode).
"""

import os
import time
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
from sqlalchemy import Engine, event

from app import __version__
from app.metrics_folder import FOLDER

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)

REQUESTS = Counter("xcom_requests", "Requests answered.", ["operation", "status"])
REQUEST_SECONDS = Histogram(
    "xcom_request_seconds", "How long a request took to answer.", ["operation"], buckets=SECONDS)
STORE_SECONDS = Histogram(
    "xcom_store_seconds", "How long a transaction took, waiting for its turn included.", ["kind"],
    buckets=SECONDS)
POOL_USED = Gauge(
    "xcom_pool_connections_used", "Connections to the database that a request is using.",
    multiprocess_mode="livesum")
POOL_SIZE = Gauge(
    "xcom_pool_connections_most", "Connections to the database that the workers may use.",
    multiprocess_mode="livesum")
BUILD = Gauge("xcom_build", "The version of the server, as a label.", ["version"],
              multiprocess_mode="max")

NO_OPERATION = "none"
"""Stands for what no route answered."""


def observe_store(kind: str, seconds: float) -> None:
    """Count a transaction of the store."""
    STORE_SECONDS.labels(kind).observe(seconds)


def watch(app: Flask, engine: Engine, pool_size: int) -> None:
    """Count what an application answers and how it uses its engine, and answer /metrics."""
    BUILD.labels(__version__).set(1)
    POOL_SIZE.set(pool_size)
    event.listen(engine, "checkout", lambda *of_pool: POOL_USED.inc())
    event.listen(engine, "checkin", lambda *of_pool: POOL_USED.dec())
    app.after_request(_count)
    app.add_url_rule("/metrics", "metrics", _answer)


def _count(response: Response) -> Response:
    operation = _operation()
    REQUESTS.labels(operation, str(response.status_code)).inc()
    REQUEST_SECONDS.labels(operation).observe(time.perf_counter() - g.started)
    return response


def _operation() -> str:
    """Return the version and operationId that answered, or the name of another route."""
    return (request.endpoint or NO_OPERATION).replace(".", "_", 1)


def _answer() -> Response:
    registry: Any = REGISTRY
    if FOLDER in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
