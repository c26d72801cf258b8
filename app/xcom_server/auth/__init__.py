"""Users, passwords, tokens and roles, independent of HTTP."""
