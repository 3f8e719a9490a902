"""Tokens of identity providers (OpenID Connect): whose they are, and what those callers may do."""
