"""Lists what happened to one entry."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.events.event_log import EntryEvents
from messaging_service.shared.domain.message import is_shown, no_such_entry, outbox_id
from service_kit.access.principal import AccessMode, Accounts


class ListEvents:
    """The use case behind ListOutboxEvents."""

    def __init__(self, events: EntryEvents) -> None:
        self._events = events

    async def __call__(
        self, message_id: UUID, after: int, limit: int, accounts: Accounts, mode: AccessMode = AccessMode.LIVE
    ) -> Sequence[OutboxEvent]:
        """Events of an entry with ids above `after`, oldest first, `limit` at most.

        `accounts`: those of the caller, None for all; an entry of another one is not found. `mode`: that of the caller.

        Raises ServiceError OUTBOX_ENTRY_NOT_FOUND.
        """
        found = await self._events.events_of(message_id, after, limit, accounts)
        if found is None or not all(is_shown(event.mode, mode) for event in found):
            raise no_such_entry(outbox_id(message_id))
        return found
