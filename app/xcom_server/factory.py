"""Puts the rooms together: settings in, a WSGI application out."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from flask import Flask, Response, current_app, request
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.routing import PathConverter

from xcom_server.api import authorization, json_io, openapi, probes
from xcom_server.api.v1 import api as v1
from xcom_server.api.v1 import errors as v1_errors
from xcom_server.api.v2 import api as v2
from xcom_server.api.v2 import errors as v2_errors
from xcom_server.api.v2 import login, middleware
from xcom_server.errors import Unavailable
from xcom_server.observability import logs, metrics
from xcom_server.settings import Settings
from xcom_server.storage.database.engine import is_in_memory, open_engine
from xcom_server.storage.database.executor import Database
from xcom_server.storage.database.faults import classify
from xcom_server.storage.limits import Limits
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import XComStore

V2_PATHS = ("/api/v2/", "/auth/")
"""What the paths begin with that answer in v2's shape, whatever is wrong."""


class KeyConverter(PathConverter):
    """The rest of a path: a key may begin with a slash and hold any character."""

    regex = r"[\s\S]+"
    part_isolating = False


class Application(Flask):
    """Flask without its looking, eight times a request, for functions that are asynchronous."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: there are no other ones here."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """Return the server for these settings, read from the environment where none are given.

    Raises SettingsError for settings that cannot be, InvalidUsersFile and InvalidKeyFile for files that they name,
    and SchemaMismatch for a database whose tables are not the ones this code needs.
    """
    settings = settings or Settings.from_env()
    engine = open_engine(settings.database_url, limits(settings))
    database = Database(engine, metrics.observe_store) if settings.metrics else Database(engine)
    store = XComStore(database, require_parents=settings.require_parents)
    app = Application("xcom_server", static_folder=None)
    logs.write_to_stderr(app.logger, settings.log_format)  # for every module of `app`
    _prepare(app, engine)
    app.extensions["engine"] = engine  # for whoever made the application, to dispose of
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_JSON_DEPTH"] = settings.max_json_depth
    app.url_map.merge_slashes = False  # an empty name is a 404, not a redirect to another URL
    app.url_map.converters["path"] = KeyConverter
    logs.name_requests(app, log_them=settings.log_requests)
    if settings.metrics:
        metrics.watch(app, engine, settings.pool_size)
    app.before_request(json_io.require_utf8_url)
    app.before_request(lambda: middleware.refuse_head_and_options() if _is_v2() else None)
    app.after_request(_frame)
    app.register_error_handler(Exception, _render)
    access = authorization.access(settings)
    for version in (v1.version(store, settings, access), v2.version(store, settings, access)):
        openapi.mount(app, version, validate_responses=settings.validate_responses)
    login.mount(app, access)
    probes.mount(app, store)
    return app


def limits(settings: Settings) -> Limits:
    """Return the limits of the database's engine."""
    return Limits(**{spec.name: getattr(settings, spec.name) for spec in fields(Limits)})


def _prepare(app: Flask, engine: Engine) -> None:
    """Make sure of the tables; a database that cannot be reached now is no reason not to start.

    A worker that is replaced during an outage would otherwise take the whole server with it.
    """
    try:
        schema.prepare(engine)
    except SQLAlchemyError as error:
        fault = classify(error)
        if fault is None:
            raise
        app.logger.warning("%s Answering 503 until it can be used.", fault.reason)
    if not is_in_memory(str(engine.url)):
        engine.dispose()  # gunicorn may fork now (--preload), and no two may share a connection


def _is_v2() -> bool:
    path = request.path
    return path.startswith(V2_PATHS) or path in ("/api/v2", "/auth")


def _frame(response: Response) -> Response:
    return middleware.frame(response) if _is_v2() else v1_errors.frame(response)


def _render(error: Exception) -> Response:
    response = v2_errors.render(error) if _is_v2() else v1_errors.render(error)
    if response.status_code >= 500 and not isinstance(error, Unavailable):  # the store said it
        current_app.logger.error("%s %s failed", request.method, logs.shown_path(),
                                 exc_info=error)
    return response
