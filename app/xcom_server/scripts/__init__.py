"""Scripts: what a triggered DAG run does; docs/scripts.md describes the format.

A script is part of a DAG in a seed file. Nothing is executed: the run and its task instances go
through the states that the script lists, and the entries in it appear.
"""
