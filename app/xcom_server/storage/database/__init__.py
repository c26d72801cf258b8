"""How statements reach a database: backends, retries, locks and errors."""
