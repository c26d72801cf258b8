"""How gunicorn runs the application: nothing else imports gunicorn."""
