"""The carriers that take messages."""
