"""How fast the server is, beside what it could be at best and what people use instead."""
