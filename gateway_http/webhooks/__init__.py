"""Webhooks: events, posted to the systems of accounts."""
