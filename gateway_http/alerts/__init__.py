"""Alerts: their rules, their history, and who has seen them."""
