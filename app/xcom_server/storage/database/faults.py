"""What can be wrong with a database, as sentences for clients.

The sentences go to clients, so they name no host, no user and no part of a statement.  The log has
the driver's own text.  Which error means which fault is decided by each backend.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Why the database is unavailable.

    If `is_transient`, the transaction was rolled back and a retry may succeed at once.  If
    `drops_connection`, the connection is of no further use.
    """

    reason: str
    is_transient: bool = False
    drops_connection: bool = False


UNREACHABLE = Fault("The database cannot be reached.")
LOST = Fault("The connection to the database was lost.", is_transient=True)
LOCKED = Fault("The database is locked by another writer.")
FULL = Fault("The disk of the database is full.")
READ_ONLY = Fault("The database is read-only.")
NO_TABLES = Fault("The database does not hold the tables of this server.")
TOO_SLOW = Fault("The database takes too long.")
UNRESPONSIVE = Fault("The database does not answer.")
BUSY = Fault("All connections to the database are in use.")
CONTENDED = Fault("Too many clients change the same entries at once.", is_transient=True)
CANNOT_OPEN = Fault("The file of the database cannot be opened.")
UNRESPONSIVE_SQLSTATE = "XCOM0"  # of no class that PostgreSQL has
