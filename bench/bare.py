"""The contender `bare`: a plain Flask and SQLAlchemy Core application with the same responses.

It has no Connexion, OpenAPI document, validation, users or metrics, so the difference to it is
what these cost.
"""

from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request
from marshmallow import Schema, fields
from sqlalchemy import Engine, Select, create_engine, event, func, select
from xcom_server.storage.sql.tables import dag_run, xcom

_ENTRIES = "/api/v1/dags/<dag_id>/dagRuns/<run_id>/taskInstances/<task_id>/xcomEntries"
_OF_ENTRY = (dag_run.c.dag_id == xcom.c.dag_id) & (dag_run.c.run_id == xcom.c.run_id)
_LISTED = (
    xcom.c.dag_id,
    xcom.c.task_id,
    xcom.c.map_index,
    xcom.c.key,
    xcom.c.timestamp,
    dag_run.c.logical_date.label("execution_date"),
)
_ORDER = (xcom.c.dag_id, xcom.c.task_id, xcom.c.run_id, xcom.c.map_index, xcom.c.key)


class ItemSchema(Schema):
    """An entry in a list."""

    key = fields.String()
    timestamp = fields.DateTime()
    execution_date = fields.DateTime()
    map_index = fields.Integer()
    task_id = fields.String()
    dag_id = fields.String()


class EntrySchema(ItemSchema):
    """An entry."""

    value = fields.String()


def create_app(url: str, *, with_marshmallow: bool = False) -> Flask:
    """Return the application on a database that data.fill has filled."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _as_durable_as_the_server)
    item, entry = (ItemSchema().dump, EntrySchema().dump) if with_marshmallow else (_shown, _shown)
    app = Flask("bare")

    @app.get(_ENTRIES)
    def list_entries(**names: str) -> dict[str, Any]:
        wanted = _matching(names)
        limit, offset = int(request.args.get("limit", 100)), int(request.args.get("offset", 0))
        with engine.connect() as connection:
            total = connection.scalar(select(func.count()).select_from(xcom).where(*wanted))
            rows = (
                connection.execute(
                    select(*_LISTED)
                    .join(dag_run, _OF_ENTRY)
                    .where(*wanted)
                    .order_by(*_ORDER)
                    .limit(limit)
                    .offset(offset)
                )
                .mappings()
                .all()
            )
        return {"total_entries": total, "xcom_entries": [item(row) for row in rows]}

    @app.get(f"{_ENTRIES}/<key>")
    def get_entry(**names: str) -> dict[str, Any]:
        return entry(_found(engine, names))

    @app.post(_ENTRIES)
    def create_entry(**names: str) -> dict[str, Any]:
        body = request.get_json()
        names["key"] = body["key"]
        with engine.begin() as connection:
            connection.execute(
                xcom.insert().values(
                    **names, map_index=-1, timestamp=datetime.now(UTC), value=body["value"]
                )
            )
        return entry(_found(engine, names))

    @app.patch(f"{_ENTRIES}/<key>")
    def update_entry(**names: str) -> dict[str, Any]:
        with engine.begin() as connection:
            connection.execute(
                xcom.update().where(*_matching(names)).values(value=request.get_json()["value"])
            )
        return entry(_found(engine, names))

    @app.delete(f"{_ENTRIES}/<key>")
    def delete_entry(**names: str) -> Response:
        with engine.begin() as connection:
            connection.execute(xcom.delete().where(*_matching(names)))
        return Response(status=204)

    return app


def _matching(names: dict[str, str]) -> list[Any]:
    return [xcom.c[name] == each for name, each in names.items() if each != "~"]


def _found(engine: Engine, names: dict[str, str]) -> Any:
    query: Select[Any] = select(*_LISTED, xcom.c.value).join(dag_run, _OF_ENTRY)
    with engine.connect() as connection:
        return connection.execute(query.where(*_matching(names))).mappings().one()


def _shown(row: Any) -> dict[str, Any]:
    return {
        **row,
        "timestamp": row["timestamp"].isoformat(),
        "execution_date": row["execution_date"].isoformat(),
    }


def _as_durable_as_the_server(connection: Any, record: Any) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")
