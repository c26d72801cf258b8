"""Access to SQL databases: backends, connections, retries, locks and errors."""
