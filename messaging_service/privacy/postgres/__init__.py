"""Data keys, and what converts, forgets and erases, in PostgreSQL."""
