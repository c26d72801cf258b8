"""Running the application under gunicorn; no other package imports gunicorn."""
