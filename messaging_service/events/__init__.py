"""The event log, and watching it."""
