"""The HTTP API that the OpenAPI documents describe, with one package for each version."""

import warnings

# Connexion 2.15 calls jsonschema in ways that it has since moved. With PYTHONWARNINGS=error, these
# would be exceptions at the start and in requests.
for message in (r"Accessing jsonschema", r"jsonschema\.", "Passing a schema to Validator"):
    warnings.filterwarnings("ignore", message, DeprecationWarning)
