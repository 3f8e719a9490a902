"""Months in Prometheus."""
