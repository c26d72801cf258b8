"""The statements about one entry: each is one there and back, by the primary key.

They take the entry's names as parameters, and what is stored anew as `new_…`.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Label,
    bindparam,
    exists,
    func,
    literal,
    select,
)

from xcom_server.storage.database.compiled import CompiledStatement
from xcom_server.storage.sql import parents
from xcom_server.storage.sql.listing import named
from xcom_server.storage.sql.tables import dag_run, task_instance, xcom
from xcom_server.storage.sql.upsert import inserting

NAMES = ("dag_id", "run_id", "task_id", "map_index", "key")

_RUN_DATE = func.coalesce(*parents.DATES) == bindparam("run_date", None, parents.DATES[0].type)


@lru_cache
def finding(dialect: Dialect) -> CompiledStatement:
    """Return the SELECT of all that is stored of an entry but its names, as XComEntry has it."""
    return CompiledStatement(select(xcom.c.timestamp, *parents.DATES, xcom.c.value, xcom.c.version)
                    .join(dag_run, parents.OF_ENTRY).where(*named(NAMES)), dialect)


@lru_cache
def creating(dialect: Dialect, *, dated: bool) -> CompiledStatement:
    """Return the INSERT of an entry into a task instance that is known.

    It returns the run's dates, and nothing where there is no such task instance, where the name is
    taken, or where the statement is `dated` and `run_date` is not the run's.
    """
    place = [task_instance.c[name] for name in NAMES[:-1]]
    new = [bindparam(f"new_{column.name}", None, column.type)
           for column in (xcom.c.timestamp, xcom.c.value, xcom.c.version)]
    found = select(*place, bindparam("key", None, xcom.c.key.type), *new).where(
        *(column == bindparam(column.name, None) for column in place))
    if dated:
        found = found.join(dag_run, (dag_run.c.dag_id == task_instance.c.dag_id)
                           & (dag_run.c.run_id == task_instance.c.run_id)).where(_RUN_DATE)
    return CompiledStatement(inserting(dialect, xcom)
                    .from_select([*NAMES, "timestamp", "value", "version"], found)
                    .on_conflict_do_nothing().returning(*_dates_of_run()), dialect)


@lru_cache
def replacing(dialect: Dialect, *, given: Collection[str], versions: int | None,
              timestamp: bool) -> CompiledStatement:
    """Return the UPDATE of an entry; it returns the timestamp and the run's dates.

    The entry must have what is `given` of `timestamp` and `run_date`, and one of so many versions;
    `timestamp` says that it gets a new one.
    """
    update = xcom.update().where(*named(NAMES), *_of_version(versions))
    if "timestamp" in given:
        update = update.where(xcom.c.timestamp == bindparam("timestamp", None))
    if "run_date" in given:
        update = update.where(exists().where(parents.OF_ENTRY, _RUN_DATE))
    changed = ("value", "version", "timestamp") if timestamp else ("value", "version")
    return CompiledStatement(update.values({name: bindparam(f"new_{name}", None) for name in changed})
                    .returning(xcom.c.timestamp, *_dates_of_run()), dialect)


@lru_cache
def deleting(dialect: Dialect, *, versions: int | None) -> CompiledStatement:
    """Return the DELETE of an entry that has one of so many versions; it returns a row."""
    return CompiledStatement(xcom.delete().where(*named(NAMES), *_of_version(versions))
                    .returning(literal(1)), dialect)


def numbered(versions: Collection[int] | None) -> dict[str, int]:
    """Return versions as parameters."""
    return {f"version_{number}": version for number, version in enumerate(versions or ())}


def _of_version(versions: int | None) -> list[ColumnElement[bool]]:
    if versions is None:
        return []
    return [xcom.c.version.in_(
        [bindparam(f"version_{number}", None, xcom.c.version.type) for number in range(versions)])]


def _dates_of_run() -> list[Label[Any]]:
    # By the given names: in RETURNING, SQLAlchemy leaves the tables' names out on SQLite, and a
    # run that is told by its entry's columns would be any run.
    return [select(column).where(*(dag_run.c[name] == bindparam(name, None)
                                   for name in ("dag_id", "run_id")))
            .scalar_subquery().label(column.name) for column in parents.DATES]
