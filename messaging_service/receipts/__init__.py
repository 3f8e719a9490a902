"""Delivery receipts and late outcomes."""
