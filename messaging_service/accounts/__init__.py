"""Accounts, their ledger, limits and statements."""
