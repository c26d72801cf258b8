"""The page at /_emulator/ for people: requests with verdicts, entries, runs, faults and the clock.

It is rendered on the server, from `templates/`, and works without its script.
"""
