"""Channels: where people are told of alerts and failures."""
