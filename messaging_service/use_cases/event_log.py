"""The port to the events of the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from messaging_service.domain.outbox_event import OutboxEvent


class EntryEvents(Protocol):
    """What happened to single messages."""

    async def events_of(self, message_id: UUID, after: int, limit: int) -> Sequence[OutboxEvent] | None:
        """Events of one message with ids above `after`, oldest first, `limit` at most; None when there is no message.

        Complete for every id that was returned before: the events of one message are recorded one after another.
        Raises ServiceError DATABASE_UNAVAILABLE.
        """
        ...
