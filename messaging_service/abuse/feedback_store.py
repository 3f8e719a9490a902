"""The port to what apps say of their codes, and to the conversion that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from messaging_service.abuse.domain.conversion import BlockConversion, FeedbackOutcome
from service_kit.access.principal import AccessMode, Accounts


@dataclass(frozen=True, slots=True)
class Conversion:
    """The conversion of an account."""

    blocks: Sequence[BlockConversion]
    """First those that look pumped, then those with the most messages."""
    total: BlockConversion
    """All of the period, also those that are left out; its block is empty."""
    since: datetime
    """The first instant that is counted."""


class FeedbackStore(Protocol):
    """Each method is one transaction. Raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached."""

    async def record(self, message_id: UUID, outcome: FeedbackOutcome, accounts: Accounts, mode: AccessMode) -> bool:
        """Counts what became of a code; whether the same was on record before. That of a test message counts nowhere.

        `accounts`: those that the caller may act for, and `mode`: its own. Raises ServiceError OUTBOX_ENTRY_NOT_FOUND,
        FEEDBACK_TOO_LATE.
        """
        ...

    async def conversion(self, account_id: str, hours: int, limit: int) -> Conversion:
        """The conversion of an account over the last hours, the present one included; `limit` blocks at most."""
        ...
