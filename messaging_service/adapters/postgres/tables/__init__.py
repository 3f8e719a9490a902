"""The tables of the messaging database, as the migrations must produce them, by what they are about."""

from __future__ import annotations

from messaging_service.adapters.postgres.tables import (
    accounts,
    alerts,
    carriers,
    dispatch,
    messages,
    receipts,
    suppressions,
    webhooks,
)
from messaging_service.adapters.postgres.tables.columns import metadata

__all__ = ["accounts", "alerts", "carriers", "dispatch", "messages", "metadata", "receipts", "suppressions", "webhooks"]
