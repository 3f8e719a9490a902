"""Rows of the ledger as domain objects; rows end here."""

from __future__ import annotations

from typing import Any

from messaging_service.accounts.domain.ledger import EntryKind, LedgerEntry

ENTRY_COLUMNS = "id, account_id, kind, amount, created_at, message_id, attempt, reference, reason, booked_by"
"""The columns that `to_entry` takes, in its order."""


def to_entry(row: tuple[Any, ...]) -> LedgerEntry:
    """One row of a ledger entry."""
    return LedgerEntry(row[0], row[1], EntryKind(row[2]), *row[3:10])
