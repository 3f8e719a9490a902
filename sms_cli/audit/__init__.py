"""The audit log, and the chains over all that is evidence."""
