"""Rules, on the standard library alone."""
