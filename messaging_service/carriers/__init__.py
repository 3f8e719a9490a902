"""Carriers: routing, health, control, and how each is spoken to."""
