"""The one place that uses semi-public members of SQLAlchemy.

tests/storage/test_sqlalchemy_adapter.py says which contract broke if a new release changes one.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Engine, PoolProxiedConnection, Select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate

Statement = Select[Any] | ReturningInsert[Any] | ReturningUpdate[Any] | ReturningDelete[Any]


class CompiledSql(NamedTuple):
    """A statement as a driver takes it.

    `positions` are the names of the parameters in the order of a driver that numbers them, None
    for a driver that names them.  `bind_processors` convert parameters by name.
    """

    text: str
    positions: list[str] | None
    defaults: dict[str, Any]
    bind_processors: Mapping[str, Callable[[Any], Any]]


def compile_statement(statement: Statement, dialect: Dialect) -> CompiledSql:
    """Return a statement compiled for a dialect, with what its parameters need."""
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    processors = {name: process for bind, name in compiled.bind_names.items()
                  if (process := bind.type.dialect_impl(dialect).bind_processor(dialect))}
    return CompiledSql(str(compiled), compiled.positiontup, dict(compiled.params), processors)


def driver_errors(engine: Engine) -> tuple[type[Exception], tuple[type[Exception], ...]]:
    """Return the driver's base error, and its errors about the operation of the database."""
    driver: Any = engine.dialect.loaded_dbapi
    return driver.Error, (driver.OperationalError, driver.InterfaceError)


def is_disconnect(engine: Engine, error: Exception, connection: PoolProxiedConnection) -> bool:
    """Return whether a driver's error means that the connection was lost."""
    dialect: Any = engine.dialect
    return bool(dialect.is_disconnect(error, connection.dbapi_connection, None))


def is_stale_connection(error: InvalidRequestError) -> bool:
    """Return whether the pool gave up because two connections in a row were stale.

    SQLAlchemy raises its general InvalidRequestError for this; only the text tells it apart.
    """
    return "connection is closed" in str(error)
