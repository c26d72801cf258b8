"""The HTTP API: what the OpenAPI documents promise, with a package for each version."""
