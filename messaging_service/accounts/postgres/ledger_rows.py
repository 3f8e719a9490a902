"""The columns of a ledger entry, wherever a statement selects one."""

from __future__ import annotations

from typing import Final

from messaging_service.accounts.domain.ledger import LedgerEntry
from messaging_service.shared.postgres.record_columns import RecordColumns

ENTRY: Final = RecordColumns(LedgerEntry, columns={"booked_at": "created_at"})
