"""The faults of a database, with the sentences that clients receive.

The sentences contain no host, no user and no part of a statement; the driver's message is only
logged.  Each backend maps its driver's errors to these faults.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A reason why the database is unavailable.

    If `is_transient`, the transaction was rolled back and an immediate retry may succeed.  If
    `drops_connection`, the connection must not be used again.
    """

    reason: str
    is_transient: bool = False
    drops_connection: bool = False


UNREACHABLE = Fault("The database cannot be reached.")
LOST = Fault("The connection to the database was lost.", is_transient=True)
LOCKED = Fault("The database is locked by another writer.")
FULL = Fault("The disk of the database is full.")
READ_ONLY = Fault("The database is read-only.")
NO_TABLES = Fault("The database does not have the tables of this server.")
ANOTHER_SCHEMA = Fault("The database has another schema than this server needs.")
TOO_SLOW = Fault("A database statement took too long.")
UNRESPONSIVE = Fault("The database does not respond.")
SEARCHING = Fault("Too many slow searches are in progress.")
BUSY = Fault("All connections to the database are in use.")
CONTENDED = Fault("Too many clients are changing the same entries.", is_transient=True)
CANNOT_OPEN = Fault("The database file cannot be opened.")
