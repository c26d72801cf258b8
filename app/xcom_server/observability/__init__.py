"""Logs, metrics and the draining flag."""
