"""The store of entries, independent of HTTP."""
