"""Shows the entries of the outbox, and cancels what nobody has begun to submit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from messaging_service.sending.domain.entry_rules import check_mode
from messaging_service.sending.outbox import ListFilter, Outbox
from messaging_service.shared.domain.message import Message, no_such_entry, outbox_id
from service_kit.access.principal import AccessMode, Accounts


class OutboxEntries:
    """The use case behind the calls about single entries and lists of them."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def entry(self, message_id: UUID, accounts: Accounts, mode: AccessMode = AccessMode.LIVE) -> Message:
        """One entry of the caller's accounts as it stands. Raises ServiceError OUTBOX_ENTRY_NOT_FOUND."""
        message = await self._outbox.get(message_id, accounts)
        if message is None:
            raise no_such_entry(outbox_id(message_id))
        check_mode(message, mode)
        return message

    async def list(self, wanted: ListFilter, limit: int, after: tuple[datetime, UUID] | None) -> Sequence[Message]:
        """Entries of an account, newest first, those behind a time and id; None for the first ones."""
        return await self._outbox.list(wanted, limit, after)

    async def cancel(self, message_id: UUID, accounts: Accounts, mode: AccessMode = AccessMode.LIVE) -> Message:
        """Stops an entry of the caller's accounts before it is submitted, and releases its hold; the entry afterwards.

        `mode`: that of the caller. Raises ServiceError OUTBOX_ENTRY_NOT_FOUND or NOT_CANCELLABLE.
        """
        if mode is AccessMode.TEST:
            await self.entry(message_id, accounts, mode)
        return await self._outbox.cancel(message_id, accounts)
