"""The store in an SQL database: tables, statements and migrations."""
