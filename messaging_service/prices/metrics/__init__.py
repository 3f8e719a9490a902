"""The room's figures."""
