"""How far somebody has followed the events of the outbox.

Events get their ids before they are committed, and transactions end in another order than they begin. So "everything
up to id 7" is no position: the event with id 6 may appear later. A position here is made of moments: which
transactions were over when the reader looked. What is not among them is still to come, however old its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from messaging_service.events.domain.outbox_event import OutboxEvent
from messaging_service.shared.domain.message import is_shown
from messaging_service.shared.domain.states import State
from service_kit.access.principal import AccessMode


@dataclass(frozen=True, slots=True)
class Moment:
    """Which transactions had ended, of those that ever recorded an event."""

    first_unseen: int
    """One more than the newest transaction with a visible event. Newer numbers count as unseen, even when they had
    ended without an event: a database that crashes may give such a number out again."""
    open: tuple[int, ...] = ()
    """Older ones that had not ended, rising."""

    def saw(self, transaction: int) -> bool:
        """Whether events of the transaction were visible."""
        return transaction < self.first_unseen and transaction not in self.open


@dataclass(frozen=True, slots=True)
class Position:
    """Everything seen at a moment, or a part of the way from one moment to the next."""

    seen: Moment
    until: Moment | None = None
    """The moment that the reader is on its way to, in the order of ids; None when it has arrived."""
    after: int = 0
    """The id up to which that way is done."""

    @property
    def goal(self) -> Moment:
        """Where the reader is, or will be when it has arrived."""
        return self.until or self.seen


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with what decides who receives it, and when."""

    event: OutboxEvent
    transaction: int
    tags: tuple[str, ...]
    """Of its message."""


@dataclass(frozen=True, slots=True)
class Step:
    """Some events in the order of ids, and the positions before and after them."""

    before: Position
    events: Sequence[LoggedEvent]
    position: Position

    def with_events(self, events: Sequence[LoggedEvent]) -> Step:
        """The same step for somebody who wants only these of its events."""
        return Step(self.before, events, self.position)

    def chunks(self, size: int) -> Iterator[tuple[Sequence[LoggedEvent], Position]]:
        """The events in portions, each with the position after it."""
        for start in range(0, len(self.events), size):
            portion = self.events[start : start + size]
            if start + size >= len(self.events):
                yield portion, self.position
            else:
                yield portion, Position(self.before.seen, self.position.goal, portion[-1].event.id)


class Handout:
    """The events of a step by whom they concern, so that many watchers do not each look at all of them."""

    def __init__(self, events: Sequence[LoggedEvent]) -> None:
        self._by_account: dict[str, list[LoggedEvent]] = {}
        self._by_message: dict[UUID, list[LoggedEvent]] = {}
        for logged in events:
            self._by_account.setdefault(logged.event.account_id, []).append(logged)
            self._by_message.setdefault(logged.event.message_id, []).append(logged)

    def wanted(self, wanted: EventFilter) -> list[LoggedEvent]:
        """Those that somebody wants, in their order."""
        if wanted.message_id is not None:
            nearly = self._by_message.get(wanted.message_id, [])
        else:
            nearly = self._by_account.get(wanted.account_id, [])
        return [logged for logged in nearly if wanted.takes(logged)]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events somebody wants."""

    account_id: str
    states: frozenset[State] = field(default_factory=frozenset)
    """Only changes to one of these; empty means any."""
    tag: str | None = None
    """Only messages with this tag; None means any."""
    message_id: UUID | None = None
    """Only this message; None means any."""
    caller: AccessMode = AccessMode.LIVE
    """The mode of whoever wants them: for a test credential, only those of test messages."""

    def takes(self, logged: LoggedEvent) -> bool:
        """Whether an event is wanted."""
        return (
            logged.event.account_id == self.account_id
            and (not self.states or logged.event.to_state in self.states)
            and (self.tag is None or self.tag in logged.tags)
            and (self.message_id is None or logged.event.message_id == self.message_id)
            and is_shown(logged.event.mode, self.caller)
        )
