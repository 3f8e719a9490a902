"""Numbered migrations of the messaging database."""
