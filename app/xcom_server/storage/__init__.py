"""The store: what entries exist.  Nothing here knows about HTTP."""
