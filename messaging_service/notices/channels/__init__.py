"""Channels: email and messengers."""
