"""The outbox and everything that sends from it."""
