"""The operators that a development system plays."""
