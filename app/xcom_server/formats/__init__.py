"""Strict parsers of JSON and of datetimes."""
