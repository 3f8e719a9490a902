"""Watching an account or one entry, from now on or from where an earlier watch got to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from messaging_service.events.domain.event_cursor import EventFilter, Position
from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.events.event_log import EntryEvents, EventLog
from messaging_service.events.event_tail import EventTail
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.message import Message, is_shown
from messaging_service.shared.domain.states import RESENDABLE, State
from service_kit.access.principal import AccessMode, Accounts
from service_kit.errors import ServiceError, Violation, invalid

ENDED: Final = RESENDABLE | {State.DELIVERED, State.CANCELLED}
"""States that a message does not leave by itself."""
CATCH_UP_PAGE: Final = 10_000
"""Events read at a time while catching up. Each read looks through everything since the cursor, so few are better."""
PORTION: Final = 500
"""Events in one piece of news."""


@dataclass(frozen=True, slots=True)
class OutboxNews:
    """Some events of an account; none is a sign of life."""

    events: Sequence[OutboxEvent]
    position: Position
    """Where to go on from, once these were worked on."""


@dataclass(frozen=True, slots=True)
class EntryNews:
    """Some events of an entry; none is a sign of life."""

    entry: Message | None
    """As it stands; only in the first news."""
    events: Sequence[OutboxEvent]
    last_id: int
    """The id of the latest event so far: where to go on from, once these were worked on."""


class WatchOutbox:
    """Gives every event at least once, and those of one message in the order in which they happened.

    A cursor that was got earlier goes on after what came before it. What came with or after the last cursor that was
    worked on comes again.
    """

    def __init__(self, tail: EventTail, log: EventLog, entries: EntryEvents) -> None:
        self._tail = tail
        self._log = log
        self._entries = entries

    async def account(
        self, wanted: EventFilter, position: Position | None, heartbeat_s: float
    ) -> AsyncGenerator[OutboxNews, None]:
        """First where it begins, then the wanted events; a sign of life after each silence of `heartbeat_s`.

        Ends only with an error: DATABASE_UNAVAILABLE, SHUTTING_DOWN, WATCHER_TOO_SLOW, TOO_MANY_WATCHES, or
        INVALID_ARGUMENT for a position that this database has not reached.
        """
        with self._tail.admitted():
            if position is not None:
                # Without a buffer, which would run over while much is made up for.
                async with aclosing(self._catch_up(wanted, position, None)) as missed:
                    async for news in missed:
                        yield news
                        position = news.position
            with self._tail.subscribed(wanted) as subscription:
                start = await subscription.started()
                if position is not None:
                    # What happened between the end of catching up and the start of the subscription.
                    async with aclosing(self._catch_up(wanted, position, start)) as missed:
                        async for news in missed:
                            yield news
                yield OutboxNews((), start)
                while True:
                    step = await subscription.next(heartbeat_s)
                    for portion, reached in step.chunks(PORTION):
                        yield OutboxNews([logged.event for logged in portion], reached)
                    if not step.events:
                        yield OutboxNews((), step.position)

    async def _catch_up(
        self, wanted: EventFilter, position: Position, until: Position | None
    ) -> AsyncGenerator[OutboxNews, None]:
        """Everything up to now, or to another position; ends there with news that may be empty."""
        if until is not None:
            position = Position(position.seen, until.seen)
        while True:
            step = await self._log.catch_up(position, wanted, CATCH_UP_PAGE)
            if step.position.goal.first_unseen < position.seen.first_unseen:
                raise _not_ours()
            for portion, reached in step.chunks(PORTION):
                yield OutboxNews([logged.event for logged in portion], reached)
                self._tail.require_open()
            arrived = step.position.until is None
            # The rest of a way that was begun earlier ends in the past; one more look leads to now.
            if arrived and (until is not None or position.until is None):
                if not step.events:
                    yield OutboxNews((), step.position)
                return
            position = step.position

    async def entry(
        self,
        message_id: UUID,
        last_id: int | None,
        heartbeat_s: float,
        accounts: Accounts,
        mode: AccessMode = AccessMode.LIVE,
    ) -> AsyncGenerator[EntryNews, None]:
        """First the entry as it stands with the events after `last_id`, then further ones until it has ended.

        Without `last_id` no earlier events come. Yields nothing when there is no such entry of the caller's
        `accounts` and `mode`. Raises as `account`.
        """
        with self._tail.admitted():
            found = await self._entries.entry(message_id, accounts)
            if found is None or not is_shown(found[0].mode, mode):
                return
            with self._tail.subscribed(EventFilter(found[0].account_id, message_id=message_id)) as subscription:
                if found[0].state not in ENDED:
                    # What the entry does after this look is in the subscription.
                    await subscription.started()
                    found = await self._entries.entry(message_id, accounts) or found
                message, newest = found
                if last_id is not None and last_id > newest:
                    raise _not_ours()
                missed = () if last_id is None else await self._missed(message_id, last_id, newest, accounts)
                yield EntryNews(message, missed, newest)
                state = message.state
                while state not in ENDED:
                    step = await subscription.next(heartbeat_s)
                    # The subscription began before the entry was read.
                    events = [logged.event for logged in step.events if logged.event.id > newest]
                    if events:
                        newest, state = events[-1].id, events[-1].to_state
                    if events or not step.events:
                        yield EntryNews(None, events, newest)

    async def _missed(self, message_id: UUID, after: int, newest: int, accounts: Accounts) -> Sequence[OutboxEvent]:
        missed: list[OutboxEvent] = []
        while after < newest:
            page = await self._entries.events_of(message_id, after, PORTION, accounts) or ()
            missed += [event for event in page if event.id <= newest]
            if not page:
                break
            after = page[-1].id
        return missed


def _not_ours() -> ServiceError:
    problem = (
        "names a place that this database has not reached, so it comes from another one or from before a restore; "
        "watch without it, and list what may have been missed"
    )
    return invalid([Violation("cursor", reasons.INVALID_CURSOR, problem)])
