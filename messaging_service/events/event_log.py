"""The port to the events of the outbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from messaging_service.events.domain.event_cursor import EventFilter, Moment, Position, Step
from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.shared.domain.message import Message
from service_kit.access.principal import Accounts


class EntryEvents(Protocol):
    """What happened to single messages. Raises ServiceError DATABASE_UNAVAILABLE."""

    async def events_of(
        self, message_id: UUID, after: int, limit: int, accounts: Accounts
    ) -> Sequence[OutboxEvent] | None:
        """Events of one message with ids above `after`, oldest first, `limit` at most; None when there is no message.

        `accounts`: those of the caller, None for all; a message of another one is none.
        Complete for every id that was returned before: the events of one message are recorded one after another.
        """
        ...

    async def entry(self, message_id: UUID, accounts: Accounts) -> tuple[Message, int] | None:
        """A message and the id of its latest event, read together; None when there is no message.

        `accounts`: as for `events_of`.
        """
        ...


class EventLog(Protocol):
    """All events, as they are committed. Raises ServiceError DATABASE_UNAVAILABLE.

    Both ways of reading give each event once between two positions, those of one message in their order, and end at
    the present moment unless `limit` ends them before.
    """

    async def present(self) -> Moment:
        """The moment now."""
        ...

    async def follow(self, position: Position, accounts: Collection[str], limit: int) -> Step:
        """The next events of some accounts after a recent position."""
        ...

    async def catch_up(self, position: Position, wanted: EventFilter, limit: int) -> Step:
        """The next wanted events after a position of any age; takes longer the more happened since, to anybody."""
        ...
