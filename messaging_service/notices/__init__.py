"""Alerts, webhooks and channels."""
