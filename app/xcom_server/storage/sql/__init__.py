"""The store on an SQL database: tables, statements and migrations."""
