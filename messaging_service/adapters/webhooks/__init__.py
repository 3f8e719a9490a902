"""Posting events to endpoints of customers."""
