"""What apps say of their codes, and what that says of blocks of numbers."""

from __future__ import annotations

from uuid import UUID

from messaging_service.abuse.domain.conversion import FeedbackOutcome
from messaging_service.abuse.feedback_store import Conversion, FeedbackStore
from service_kit.access.principal import AccessMode, Accounts


class Feedback:
    """The use cases behind FeedbackService."""

    def __init__(self, store: FeedbackStore) -> None:
        self._store = store

    async def record(self, message_id: UUID, outcome: FeedbackOutcome, accounts: Accounts, mode: AccessMode) -> bool:
        """Counts what became of a code; whether the same was on record. Raises as FeedbackStore.record does."""
        return await self._store.record(message_id, outcome, accounts, mode)

    async def conversion(self, account_id: str, hours: int, limit: int) -> Conversion:
        """The conversion of an account over the last hours; `limit` blocks at most."""
        return await self._store.conversion(account_id, hours, limit)
