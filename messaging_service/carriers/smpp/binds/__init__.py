"""Binds: connections that heal themselves, their sessions, windows and leases."""
