"""The suppression list and the inbox as lists: plain, and the yardstick of the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.domain.opt_out_keywords import Keywords
from messaging_service.opt_outs.domain.suppression import (
    OF_THE_PHONE,
    OPTED_OUT,
    Directive,
    Ending,
    Scope,
    Source,
    Suppression,
    sender_key,
)
from messaging_service.opt_outs.inbound_inbox import WorkedInbound
from messaging_service.opt_outs.suppression_store import Added, NewSuppression, Stopped, SuppressionFilter
from messaging_service.shared.domain.states import State
from service_kit.access.principal import Accounts
from service_kit.audit.actor import PLATFORM, Actor
from tests.doubles.in_memory_outbox import Book, InMemoryOutbox


class InMemorySuppressions:
    """Implements Suppressions."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._outbox = InMemoryOutbox(book)

    async def add(self, new: NewSuppression, *, actor: Actor) -> Added:
        for entry in self.book.suppressions:
            if entry.ending is None and entry.source is new.source and _same(entry.scope, new.scope):
                return Added(entry, created=False)
        entry = Suppression(new.id, new.scope, new.source, new.reason, new.created_by, self.book.now, None)
        self.book.suppressions.append(entry)
        self.book.opting_out.add(entry.id)
        return Added(entry, created=True)

    async def stop_queued(self, ids: Sequence[UUID], wait_s: float) -> Stopped:
        stopped, complete = 0, True
        for entry in self.book.suppressions:
            if entry.id not in ids or entry.ending is not None:
                continue
            open_ids = [found for found in self.book.queue if self._covers(entry, found)]
            for message_id in open_ids:
                if self.book.queue[message_id].state is State.READY:
                    self._outbox.cancel_as(message_id, OPTED_OUT)
                    stopped += 1
            left = [self.book.queue[found].state for found in open_ids if found in self.book.queue]
            if State.SUBMITTING in left:
                complete = False
            else:
                self.book.opting_out.discard(entry.id)
        return Stopped(stopped, complete)

    def _covers(self, entry: Suppression, message_id: UUID) -> bool:
        message = self.book.messages[message_id]
        return not self.book.exemption.holds_for(message.tags) and entry.scope.covers(
            message.recipient, message.sender_id, message.account_id
        )

    async def stop_pending(self, limit: int, wait_s: float) -> Stopped:
        ids = sorted(self.book.opting_out)[:limit]
        stopped = await self.stop_queued(ids, wait_s)
        return Stopped(stopped.messages, complete=stopped.complete and len(ids) < limit)

    async def end(
        self, suppression_id: UUID, accounts: Accounts, source: Source, by: str, reason: str, *, actor: Actor
    ) -> Suppression | None:
        for index, entry in enumerate(self.book.suppressions):
            if entry.id == suppression_id and (accounts is None or entry.scope.account_id in accounts):
                if entry.ending is None:
                    self.book.suppressions[index] = replace(entry, ending=Ending(self.book.now, source, by, reason))
                    self.book.opting_out.discard(entry.id)
                return self.book.suppressions[index]
        return None

    async def covering(self, phone: str, sender_id: str, account_id: str) -> Sequence[Suppression]:
        return [
            entry
            for entry in self.book.suppressions
            if entry.ending is None and entry.scope.covers(phone, sender_id, account_id)
        ]

    async def list(
        self, wanted: SuppressionFilter, limit: int, after: tuple[datetime, UUID] | None
    ) -> Sequence[Suppression]:
        found = [
            entry
            for entry in self.book.suppressions
            if (wanted.with_ended or entry.ending is None)
            and wanted.phone in (None, entry.scope.phone)
            and (wanted.sender_id is None or _key(wanted.sender_id) == _key(entry.scope.sender_id))
            and wanted.account_id in (None, entry.scope.account_id)
            and wanted.source in (None, entry.source)
            and (after is None or (entry.created_at, entry.id) < after)
        ]
        return sorted(found, key=lambda entry: (entry.created_at, entry.id), reverse=True)[:limit]


@dataclass
class InMemoryInbound:
    """Implements InboundInbox, but for waiting and forgetting."""

    suppressions: InMemorySuppressions
    keywords: Keywords
    waiting: list[InboundMessage] = field(default_factory=list)

    async def store(self, messages: Sequence[InboundMessage]) -> None:
        self.waiting.extend(messages)

    async def work(self, limit: int) -> WorkedInbound:
        due, self.waiting = self.waiting[:limit], self.waiting[limit:]
        directives = [await self._apply(message) for message in due]
        return WorkedInbound(len(due), directives.count(Directive.OPT_OUT), directives.count(Directive.OPT_IN))

    async def _apply(self, message: InboundMessage) -> Directive:
        directive = self.keywords.directive(message)
        sender_id = message.sender_id or None
        if directive is Directive.OPT_OUT:
            source = Source.CARRIER if message.is_opt_out else Source.STOP_KEYWORD
            scope = Scope(message.phone, sender_id, None)
            await self.suppressions.add(
                NewSuppression(uuid7(), scope, source, "wrote", message.carrier), actor=PLATFORM
            )
        elif directive is Directive.OPT_IN:
            for entry in list(self.suppressions.book.suppressions):
                own = entry.source in OF_THE_PHONE and entry.scope.phone == message.phone
                if own and _key(entry.scope.sender_id) in (None, _key(message.sender_id)):
                    await self.suppressions.end(
                        entry.id, None, Source.STOP_KEYWORD, message.carrier, "wrote", actor=PLATFORM
                    )
        return directive

    async def postpone_next(self) -> None:
        self.waiting = [*self.waiting[1:], *self.waiting[:1]]

    async def forget(self, limit: int) -> int:
        return 0


def _same(one: Scope, other: Scope) -> bool:
    return (one.phone, _key(one.sender_id), one.account_id) == (other.phone, _key(other.sender_id), other.account_id)


def _key(sender_id: str | None) -> str | None:
    return None if sender_id is None else sender_key(sender_id)
