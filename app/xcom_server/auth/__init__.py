"""Users, passwords, tokens and roles. Nothing here knows about HTTP."""
