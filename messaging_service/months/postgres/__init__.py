"""Months in PostgreSQL."""
