"""The HTTP side: what the documents promise, each version in a package of its own."""
