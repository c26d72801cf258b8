"""What an error of a database means: that it cannot do a thing now, and whether to try again.

The sentences go to clients, so they name no host, no user and nothing of the statement; the log
has the driver's own words.
"""

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, InvalidRequestError, TimeoutError

from xcom_server.storage.database.postgres import NO_ANSWER
from xcom_server.storage.database.writer_lock import WriterLockTimeout


@dataclass(frozen=True)
class Fault:
    """Why a database cannot do a thing now.

    Where `is_transient`, the transaction was undone and another try at once may succeed.
    """

    reason: str
    is_transient: bool = False


UNREACHABLE = Fault("The database cannot be reached.")
LOST = Fault("The connection to the database was lost.", is_transient=True)
LOCKED = Fault("The database is locked by another writer.")
FULL = Fault("The disk of the database is full.")
READ_ONLY = Fault("The database is read-only.")
NO_TABLES = Fault("The database does not hold the tables of this server.")
DAMAGED = Fault("The file of the database is damaged.")
TOO_SLOW = Fault("The database takes too long.")
UNRESPONSIVE = Fault("The database does not answer.")
BUSY = Fault("All connections to the database are in use.")
CONTENDED = Fault("Too many clients change the same entries at once.", is_transient=True)

_BY_SQLSTATE = {
    NO_ANSWER: UNRESPONSIVE, "40001": CONTENDED, "40P01": CONTENDED, "55P03": LOCKED, "57014": TOO_SLOW,
    "25006": Fault(READ_ONLY.reason, is_transient=True),  # a primary once: another host may be it now
    "42P01": NO_TABLES, "42703": NO_TABLES, "42501": Fault("The database does not permit it."),
    "53100": FULL, "57P01": LOST, "57P02": LOST,
}
_BY_SQLSTATE_CLASS = {
    "08": LOST, "53": Fault("The database has no resources left."),
    "57": Fault("The database was told to stop."), "58": Fault("The disk of the database fails."),
}
_BY_MESSAGE = {
    "too many clients": Fault("The database takes no more connections."),
    "connection slots": Fault("The database takes no more connections."),
    "is starting up": Fault("The database is starting."),
    "is shutting down": Fault("The database is shutting down."),
    "in recovery mode": Fault("The database is starting."),
    "no such table": NO_TABLES, "no such column": NO_TABLES,
}
"""What comes without a code: PostgreSQL's words to a new connection, and SQLite's of its tables."""

_BY_SQLITE_NAME = {
    "SQLITE_BUSY": LOCKED, "SQLITE_LOCKED": LOCKED, "SQLITE_FULL": FULL,
    "SQLITE_READONLY": READ_ONLY, "SQLITE_CANTOPEN": Fault(
        "The file of the database cannot be opened."),
    "SQLITE_IOERR": Fault("The disk of the database fails or is full."),
    "SQLITE_CORRUPT": DAMAGED, "SQLITE_NOTADB": DAMAGED,
}


def classify(error: Exception, *, is_lost: bool = False) -> Fault | None:
    """Return what an error means, the driver's or SQLAlchemy's; None where no database is at fault.

    `is_lost` says of a driver's error that it ended the connection.
    """
    if isinstance(error, WriterLockTimeout):
        return LOCKED
    if isinstance(error, TimeoutError):
        return BUSY
    if isinstance(error, InvalidRequestError):  # the pool's, of two stale connections in a row
        return LOST if "connection is closed" in str(error) else None
    if isinstance(error, OSError):
        return _BY_SQLITE_NAME["SQLITE_CANTOPEN"]
    original = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(original, "sqlstate", None) or ""
    name = "_".join(getattr(original, "sqlite_errorname", "").split("_")[:2])
    known = (_BY_SQLSTATE.get(state) or _BY_SQLSTATE_CLASS.get(state[:2])
             or _BY_SQLITE_NAME.get(name))
    if known is not None:
        return known
    for words, fault in _BY_MESSAGE.items():
        if words in str(original):
            return fault
    if is_lost or getattr(error, "connection_invalidated", False):
        return LOST
    kinds = {kind.__name__ for kind in type(original).__mro__}
    return None if kinds.isdisjoint(_OF_CONNECTIONS) else UNREACHABLE


_OF_CONNECTIONS = ("OperationalError", "InterfaceError")
"""What PEP 249 calls the errors of a driver that have to do with the database's operation."""
