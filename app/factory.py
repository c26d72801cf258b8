"""Puts the rooms together: settings in, a WSGI application out."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from flask import Flask, Response, current_app, request
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.routing import PathConverter

from app import logs, metrics, probes
from app.api import auth, documents, wire
from app.api.v1 import problems
from app.api.v1 import version as v1
from app.api.v2 import details, framing, login
from app.api.v2 import version as v2
from app.errors import Unavailable
from app.settings import Settings
from app.storage import schema
from app.storage.database import Database
from app.storage.engine import is_in_memory, open_engine
from app.storage.faults import fault_of
from app.storage.limits import Limits
from app.storage.store import XComStore

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

    Raises SettingsError for settings that cannot be, BadUsers and BadKey for files that they name,
    and SchemaMismatch for a database whose tables are not the ones this code needs.
    """
    settings = settings or Settings.from_env()
    engine = open_engine(settings.database_url, limits(settings))
    database = Database(engine, metrics.observe_store) if settings.metrics else Database(engine)
    store = XComStore(database, require_parents=settings.require_parents)
    app = Application("app", static_folder=None)
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
    app.before_request(wire.refuse_broken_text)
    app.before_request(lambda: framing.refuse_head_and_options() if _is_v2() else None)
    app.after_request(_frame)
    app.register_error_handler(Exception, _render)
    access = auth.access(settings)
    for version in (v1.version(store, settings, access), v2.version(store, settings, access)):
        documents.mount(app, version, validate_responses=settings.validate_responses)
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
        fault = fault_of(error)
        if fault is None:
            raise
        app.logger.warning("%s Answering 503 until it can be used.", fault.reason)
    if not is_in_memory(str(engine.url)):
        engine.dispose()  # gunicorn may fork now (--preload), and no two may share a connection


def _is_v2() -> bool:
    path = request.path
    return path.startswith(V2_PATHS) or path in ("/api/v2", "/auth")


def _frame(response: Response) -> Response:
    return framing.frame(response) if _is_v2() else problems.frame(response)


def _render(error: Exception) -> Response:
    response = details.render(error) if _is_v2() else problems.render(error)
    if response.status_code >= 500 and not isinstance(error, Unavailable):  # the store said it
        current_app.logger.error("%s %s failed", request.method, logs.shown_path(),
                                 exc_info=error)
    return response
