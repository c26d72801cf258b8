"""The start of a PostgreSQL session: the settings that responses depend on, and the encoding.

A database, a role, `options` in the URL and variables such as PGTZ can set any of the settings.
One statement for each new connection sets those that differ; requests need no more round trips.
"""

from typing import Any

from xcom_server.storage.database.faults import Fault
from xcom_server.storage.database.psycopg_adapter import UnusableDatabase

ENCODING = "UTF8"

SETTINGS = {
    "DateStyle": "ISO, MDY",  # psycopg reads dates only in this style
    "TimeZone": "UTC",  # psycopg reads dates near year 1 only in this time zone
    "extra_float_digits": "1",  # lower values round durations
    "standard_conforming_strings": "on",  # statements contain backslashes
    "default_transaction_isolation": "read committed",  # others make concurrent writes fail
    "default_transaction_deferrable": "off",
    "session_replication_role": "origin",  # another one disables the foreign keys
    "synchronous_commit": "on",  # `off` loses acknowledged writes in a crash
    "quote_all_identifiers": "off",  # `db check` compares the definitions of constraints
}
"""The name and the value of each setting; of `synchronous_commit`, only `off` is changed."""

_VALUES = ", ".join(f"('{name}', '{value}')" for name, value in SETTINGS.items())
_STATEMENT = f"""
SELECT pg_catalog.current_setting('server_encoding'), pg_catalog.current_database(), (
    SELECT pg_catalog.count(pg_catalog.set_config(name, value, false))
    FROM (VALUES {_VALUES}) AS wanted (name, value)
    WHERE CASE name
        WHEN 'synchronous_commit' THEN pg_catalog.current_setting(name) = 'off'
        ELSE pg_catalog.current_setting(name) <> value
    END
)
"""


def start_session(connection: Any) -> None:
    """Set the settings of a new connection.

    Raises UnusableDatabase if the database does not store texts in UTF-8.
    """
    encoding, name, _ = connection.execute(_STATEMENT, prepare=False).fetchone()
    if encoding != ENCODING:
        raise UnusableDatabase(
            f'the database "{name}" has the encoding {encoding}, but this server needs {ENCODING}.'
            f" Create one with: createdb --encoding={ENCODING} --template=template0 NAME",
            Fault(f"The database has the encoding {encoding}; this server needs {ENCODING}."),
        )
