"""The application factory: it creates the WSGI application from the settings."""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from flask import Flask, Response, current_app, request

from xcom_server import releases
from xcom_server.api import (
    absent,
    health,
    hosts,
    json_io,
    openapi,
    proxies,
    start_page,
    work_memory,
)
from xcom_server.api.authorization import open_access
from xcom_server.api.browser_headers import forbid_sniffing
from xcom_server.api.v1 import api as v1
from xcom_server.api.v1 import errors as v1_errors
from xcom_server.api.v2 import api as v2
from xcom_server.api.v2 import errors as v2_errors
from xcom_server.api.v2 import login, middleware
from xcom_server.api.werkzeug_adapter import LazyRule
from xcom_server.errors import Injected, ResponseTooLarge, Unavailable
from xcom_server.observability import logs, metrics
from xcom_server.settings import Settings
from xcom_server.storage.database.backend import Limits
from xcom_server.storage.opening import exposures, open_emulator_state, open_store
from xcom_server.storage.store import XComStore

_APIS = {"v1": v1, "v2": v2}
# The server works as it should; the store logs the first one.
_EXPECTED = (Unavailable, ResponseTooLarge, Injected)


class Application(Flask):
    """Flask without its checks for async views, which are not used; saves 2% of a GET."""

    url_rule_class = LazyRule

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application; the settings default to those of the environment.

    Raises SettingsError for invalid settings, InvalidUsersFile and InvalidKeyFile for the files
    that they name, DatabaseUnusable for the database's URL, and SchemaMismatch for a database at
    another schema.
    """
    settings = settings or Settings.from_env()
    store = open_store(
        settings.database_url,
        limits(settings),
        require_parents=settings.require_parents,
        observer=metrics.StoreMetrics() if settings.metrics else None,
    )
    app = Application("xcom_server", static_folder=None)
    logs.write_to_stderr(app.logger, settings.log_format)  # the parent of all modules' loggers
    _prepare(app, lambda: store.prepare(create=settings.create_database))
    if settings.create_database:  # else gunicorn's master has logged this
        for level, sentence in exposures(settings.database_url):
            app.logger.log(level, sentence)
    app.extensions["store"] = store  # so that the caller can close it
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_JSON_DEPTH"] = settings.max_json_depth
    app.config[json_io.MAX_RESPONSE] = settings.max_response_bytes
    work_memory.mount(app, settings.work_memory_bytes, settings.threads)
    app.url_map.merge_slashes = False  # an empty id gets a 404, not a redirect to another URL
    if settings.emulator:  # before all other hooks
        _add_emulator(app, store, settings)
    logs.add_request_ids(app, log_them=settings.log_requests)
    if settings.metrics:
        metrics.instrument(app, settings.pool_size)
    hosts.mount(app, settings)
    proxies.mount(app, settings)
    app.before_request(json_io.require_utf8_url)
    airflow_versions = releases.parse(settings.airflow_version)
    paths = absent.PATHS[(*airflow_versions,)]
    app.before_request(lambda: middleware.refuse_head_and_options() if _is_v2(paths) else None)
    app.after_request(partial(_finish_response, paths))
    app.register_error_handler(Exception, partial(_error_response, paths))
    _add_versions(app, store, settings, airflow_versions)
    absent.mount(app, paths)
    return app


def read_documents(settings: Settings) -> None:
    """Read the OpenAPI documents, so that processes forked later need not."""
    versions = releases.parse(settings.airflow_version)
    for name in (*versions, *(["emulator"] if settings.emulator else [])):
        openapi.read(name)


def limits(settings: Settings) -> Limits:
    """Return the settings that limit the store."""
    return Limits(**{spec.name: getattr(settings, spec.name) for spec in fields(Limits)})


def _add_versions(
    app: Flask, store: XComStore, settings: Settings, airflow_versions: dict[str, str]
) -> None:
    """Add the versions of the API, and what the emulated releases of Airflow have beside them."""
    access = open_access(settings)
    for name in airflow_versions:
        version = _APIS[name].api_version(store, settings, access)
        openapi.mount(app, version, validate_responses=settings.validate_responses)
    if "v2" in airflow_versions:
        openapi.serve_at_root(app, "v2")
        login.mount(app, access)
    health.mount(app, store, settings, airflow_versions)
    start_page.mount(app, airflow_versions)


def _add_emulator(app: Flask, store: XComStore, settings: Settings) -> None:
    """Add the control plane to an application.  A server without it does not import its code."""
    from xcom_server.api.emulator import api as emulator

    state = open_emulator_state(settings.database_url, limits(settings))
    _prepare(app, state.prepare)
    _prepare(app, store.snapshots.prepare)
    emulator.mount(app, store, state, settings)


def _prepare(app: Flask, prepare: Callable[[], None]) -> None:
    """Prepare a store, and only log a warning if the database is unavailable.

    Otherwise a worker restarted during an outage would stop the whole server.
    """
    try:
        prepare()
    except Unavailable as error:
        app.logger.warning("%s Requests get a 503 until it is available.", error.reason)


def _is_v2(paths: absent.Paths) -> bool:
    return f"{request.path}/".startswith(paths.v2)


def _finish_response(paths: absent.Paths, response: Response) -> Response:
    if json_io.is_too_large(response):
        error = ResponseTooLarge(current_app.config[json_io.MAX_RESPONSE])
        response = _error_response(paths, error)
    forbid_sniffing(response)
    if _is_v2(paths):
        return middleware.gzip_response(response)
    return v1_errors.with_airflow_headers(response)


def _renderer(paths: absent.Paths) -> Callable[[Exception], Response]:
    """Return the function that renders errors of the current request."""
    if _is_v2(paths):
        return v2_errors.render
    if "emulator" in current_app.extensions and f"{request.path}/".startswith("/_emulator/"):
        return current_app.extensions["render_emulator_error"]  # type: ignore[no-any-return]
    return paths.render


def _error_response(paths: absent.Paths, error: Exception) -> Response:
    response = _renderer(paths)(error)
    if response.status_code >= 500 and not isinstance(error, _EXPECTED):
        current_app.logger.error("%s %s failed", request.method, logs.quoted_path(), exc_info=error)
    return response
