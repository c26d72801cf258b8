"""The emulator's rules: the clock, faults, and verdicts on requests; no HTTP and no SQL."""
