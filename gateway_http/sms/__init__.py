"""Sending: one SMS, many, and what one would cost."""
