"""The HTTP API that the OpenAPI documents describe, with one package for each version."""
