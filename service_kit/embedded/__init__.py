"""A PostgreSQL of one's own, for development and tests."""
