"""Helpers that several tests share; fixtures are in the conftest.py of each folder."""
