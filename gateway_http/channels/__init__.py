"""Channels: where people are notified of alerts and failures."""
