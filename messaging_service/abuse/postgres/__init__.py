"""The room's tables and statements."""
