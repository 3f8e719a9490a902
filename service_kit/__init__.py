"""Plumbing that every process shares and that knows nothing of SMS."""
