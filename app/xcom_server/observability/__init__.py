"""Logs, metrics, the state of the current request and the draining flag."""
