"""Prometheus metrics: requests, their durations, the store's durations, connections in use.

Workers write their metrics to a shared folder, and the one that is scraped adds them up.  A full
disk must not fail the start or a request.  So every metric has a label, because one without labels
opens its file when it is declared, and an error while recording is only logged.
"""

import logging
import os
import struct
import time
from functools import cached_property
from types import TracebackType
from typing import Any

import prometheus_client
from flask import Flask, Response, request
from prometheus_client import Counter, Gauge, Histogram, multiprocess

from xcom_server import __version__
from xcom_server.observability import metrics_folder, prometheus_adapter, request_state
from xcom_server.storage.store import Observer

_log = logging.getLogger(__name__)
_ATTEMPTS, _PAUSE_SECONDS = 4, 0.05  # while another worker creates its files
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)  # seconds

prometheus_adapter.store_in_folder(metrics_folder.owner)

REQUESTS = Counter(
    "xcom_requests_total", "Number of HTTP responses by status.", ["operation", "status"]
)
REQUEST_DURATION = Histogram(
    "xcom_request_duration_seconds",
    "Time from request to response in seconds.",
    ["operation"],
    buckets=_BUCKETS,
)
STORE_DURATION = Histogram(
    "xcom_store_duration_seconds",
    "Duration of database statements and transactions in seconds, including waits for locks.",
    ["kind"],
    buckets=_BUCKETS,
)
POOL = Gauge(
    "xcom_pool_connections",
    "Database connections over all workers: in use (in_use), and the pools' maximum (max).",
    ["state"],
    multiprocess_mode="livesum",
)
BUILD_INFO = Gauge(
    "xcom_build_info",
    "Build information of the server; the value is always 1.",
    ["version"],
    multiprocess_mode="max",
)


class _BestEffort:
    """A context whose errors are only logged; quicker than a generator."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            _log.warning("Metrics cannot be recorded: %s", error)
        return isinstance(error, Exception)


_BEST_EFFORT = _BestEffort()


class StoreMetrics(Observer):
    """Records the store's operations and its use of connections.

    Looking up a metric by its labels takes as long as recording, so each is looked up once.
    """

    @cached_property
    def _durations(self) -> dict[str, Histogram]:
        return {kind: STORE_DURATION.labels(kind) for kind in ("read", "write")}

    @cached_property
    def _in_use(self) -> Gauge:
        return POOL.labels("in_use")

    def operation(self, kind: str, seconds: float) -> None:
        """Record the duration of a statement or transaction; `kind` is `read` or `write`."""
        with _BEST_EFFORT:
            self._durations[kind].observe(seconds)

    def connection_taken(self) -> None:
        """Count a connection that was taken from the pool."""
        with _BEST_EFFORT:
            self._in_use.inc()

    def connection_returned(self) -> None:
        """Count a connection that was returned to the pool."""
        with _BEST_EFFORT:
            self._in_use.dec()


def instrument(app: Flask, pool_size: int) -> None:
    """Record every request of an application, and serve /metrics."""
    with _BEST_EFFORT:
        BUILD_INFO.labels(__version__).set(1)
        POOL.labels("in_use").set(0)
        POOL.labels("max").set(pool_size)
    app.after_request(_record_request)
    app.add_url_rule("/metrics", "metrics", _metrics)


def _record_request(response: Response) -> Response:
    operation = (request.endpoint or "unrouted").replace(".", "_", 1)  # such as v1_getXComValue
    seconds = time.perf_counter() - request_state.current().started
    with _BEST_EFFORT:
        REQUESTS.labels(operation, str(response.status_code)).inc()
        REQUEST_DURATION.labels(operation).observe(seconds)
    return response


def _metrics() -> Response:
    for _ in range(_ATTEMPTS):
        try:
            return _read_metrics()
        except (OSError, ValueError, struct.error):  # a partly written file, or a missing folder
            time.sleep(_PAUSE_SECONDS)
    return Response("The metrics files cannot be read.\n", 503, mimetype="text/plain")


def _read_metrics() -> Response:
    registry: Any = prometheus_client.REGISTRY
    if metrics_folder.VARIABLE in os.environ:
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(
        prometheus_client.generate_latest(registry),
        content_type=prometheus_client.CONTENT_TYPE_LATEST,
    )
