"""The outbox as dictionaries: slow, plain, and the yardstick of the real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from messaging_service.accounts.domain.account import (
    Account,
    AccountMode,
    AccountStatus,
    UnknownAccounts,
    unknown_account,
)
from messaging_service.carriers.domain.routing import DEFAULT_ROUTE
from messaging_service.opt_outs.domain.suppression import NOBODY_EXEMPT, Exemption, Suppression, opted_out
from messaging_service.sending.domain.entry_rules import check_cancel, check_resend
from messaging_service.sending.domain.repetition import other_request
from messaging_service.sending.domain.send_request import SendRequest
from messaging_service.sending.domain.settling import settlement_of
from messaging_service.sending.outbox import (
    Acceptance,
    Accepted,
    Claim,
    ListFilter,
    Settled,
    Settlement,
    Swept,
    valid_until,
)
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.states import Billing, Priority, State
from service_kit.access.principal import AccessMode, Accounts
from service_kit.errors import Kind, ServiceError

LEASE_S = 30.0
MARGIN_S = 5.0
UNKNOWN_S = 3_600.0
QUEUE_S = 600.0


@dataclass(slots=True)
class Queued:
    """A row of the dispatch queue."""

    due_at: datetime
    queued_at: datetime
    state: State
    epoch: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    tries: int = 0
    route: str = DEFAULT_ROUTE
    expires_at: datetime | None = None
    avoid: frozenset[str] = frozenset()


@dataclass(slots=True)
class Event:
    """One transition."""

    message_id: UUID
    attempt: int
    from_state: State | None
    to_state: State
    code: str | None


@dataclass
class Book:
    """What several outboxes share, as they would share a database."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    messages: dict[UUID, Message] = field(default_factory=dict)
    queue: dict[UUID, Queued] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[bytes, UUID]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    charges: list[tuple[str, UUID, Decimal]] = field(default_factory=list)
    suppressions: list[Suppression] = field(default_factory=list)
    exemption: Exemption = NOBODY_EXEMPT
    opting_out: set[UUID] = field(default_factory=set)
    """The suppressions whose passes over the queue have not come to their end."""

    def wanted(self, message: SendRequest | Message) -> bool:
        """Whether the recipient takes such a message."""
        return self.exemption.holds_for(message.tags) or not any(
            entry.ending is None and entry.scope.covers(message.recipient, message.sender_id, message.account_id)
            for entry in self.suppressions
        )


class InMemoryOutbox:
    """Implements Outbox."""

    def __init__(
        self, book: Book, owner: str = "here", unknown_accounts: UnknownAccounts = UnknownAccounts.POSTPAID
    ) -> None:
        self.book = book
        self.unknown_accounts = unknown_accounts
        self.monotonic: Callable[[], float] = time.monotonic
        """The clock that fences are told on; that of who uses the claims."""
        self._owner = owner
        self._toward_share: dict[str, int] = {}

    async def accept(self, batch: Sequence[Acceptance]) -> Sequence[Accepted | ServiceError]:
        return [self._accept(item) for item in batch]

    def _accept(self, item: Acceptance) -> Accepted | ServiceError:
        request, book = item.request, self.book
        key = (request.account_id, item.key)
        if key in book.keys:
            fingerprint, message_id = book.keys[key]
            if error := other_request(item.key, request, item.fingerprint, book.messages[message_id], fingerprint):
                return error
            return Accepted(book.messages[message_id], replayed=message_id != item.message_id)
        if not book.wanted(request):
            return opted_out(request.sender_id, request.account_id)
        if request.account_id not in book.accounts and self.unknown_accounts is UnknownAccounts.REFUSE:
            return unknown_account(request.account_id)
        try:
            account = book.accounts[request.account_id] = self._account(request.account_id)
            book.accounts[request.account_id] = account.hold(item.total, request.mode)
        except ServiceError as error:
            return error
        due_at = max(request.scheduled_at or book.now, book.now)
        claimed = item.claimed and (request.expires_at is None or request.expires_at > book.now)
        state = State.SUBMITTING if claimed else State.SCHEDULED if due_at > book.now else State.READY
        message = item.message(state, book.now, book.now if claimed else None)
        book.keys[key] = (item.fingerprint, message.id)
        book.messages[message.id] = message
        book.queue[message.id] = Queued(due_at, due_at, State.READY, route=item.route, expires_at=request.expires_at)
        if claimed:
            self._lease(book.queue[message.id])
        book.events.append(Event(message.id, 1, None, state, None))
        return Accepted(message, replayed=False)

    async def claim(self, limit: int, route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> Sequence[Claim]:
        floor, self._toward_share[route] = divmod(self._toward_share.get(route, 0) + limit, 10)
        high, normal = (self._due(lane, route, set(carriers) or {"any"}) for lane in (Priority.HIGH, Priority.NORMAL))
        picked = normal[:floor]
        picked += high[: limit - len(picked)]
        picked += normal[floor:][: limit - len(picked)]
        began = self.monotonic()
        claims = []
        for message_id in picked:
            row = self.book.queue[message_id]
            self._lease(row)
            message = self._move(message_id, State.SUBMITTING, last_attempt_at=self.book.now)
            until = valid_until(message, began, message.last_attempt_at)
            claims.append(Claim(message, row.epoch, row.tries, began + LEASE_S - MARGIN_S, row.avoid, until))
        return claims

    def _due(self, lane: Priority, route: str, carriers: set[str]) -> list[UUID]:
        due = [
            (row.due_at, message_id)
            for message_id, row in self.book.queue.items()
            if row.state is State.READY
            and row.route == route
            and not carriers <= row.avoid
            and row.due_at <= self.book.now
            and (row.expires_at is None or row.expires_at > self.book.now)
            and self.book.messages[message_id].priority is lane
        ]
        return [message_id for _, message_id in sorted(due)]

    def _lease(self, row: Queued) -> None:
        row.state, row.epoch, row.owner = State.SUBMITTING, row.epoch + 1, self._owner
        row.lease_until = self.book.now + timedelta(seconds=LEASE_S)

    async def settle(self, batch: Sequence[Settlement]) -> Sequence[Settled | ServiceError]:
        return [self._settle(item) for item in batch]

    def _settle(self, item: Settlement) -> Settled:
        book, message_id, outcome = self.book, item.message.id, item.outcome
        row = book.queue.get(message_id)
        owned = row is not None and (row.state, row.epoch, row.owner) == (State.SUBMITTING, item.epoch, self._owner)
        if row is None or not owned:
            return Settled(book.messages[message_id], applied=False)
        state, billing = settlement_of(outcome, has_another=item.avoid is not None)
        row.state, row.owner, row.lease_until, row.tries = state, None, None, row.tries + 1
        if state is State.READY:
            row.avoid |= {item.avoid} if item.avoid else frozenset()
            phones = {entry.scope.phone for entry in book.suppressions if entry.id in book.opting_out}
            held_back_s = 5 if item.message.recipient in phones else 0
            row.due_at = book.now + timedelta(seconds=max(item.retry_in_s, held_back_s))
        elif state is State.UNKNOWN:
            row.due_at = book.now + timedelta(seconds=UNKNOWN_S)
        else:
            del book.queue[message_id]
            self._unhold(book.messages[message_id], charged=billing is Billing.CHARGED)
        message = self._move(
            message_id,
            state,
            outcome.error_code,
            billing=billing,
            carrier=outcome.carrier or None,
            error_code=outcome.error_code,
            sent_at=book.now if state is State.ACCEPTED else item.message.sent_at,
        )
        return Settled(message, applied=True)

    async def sweep(self) -> Swept:
        book, orphaned, expired = self.book, 0, 0
        for message_id, row in list(book.queue.items()):
            if row.lease_until is not None and row.lease_until < book.now:
                row.state, row.owner, row.lease_until = State.UNKNOWN, None, None
                row.due_at = book.now + timedelta(seconds=UNKNOWN_S)
                self._move(message_id, State.UNKNOWN, "OUTCOME_UNKNOWN", error_code="OUTCOME_UNKNOWN")
                orphaned += 1
            elif row.state is State.UNKNOWN and row.due_at < book.now:
                self._expire(message_id, "NO_OUTCOME_IN_TIME")
                expired += 1
            elif row.state is State.READY and row.expires_at is not None and row.expires_at <= book.now:
                self._expire(message_id, "VALIDITY_OVER")
                expired += 1
            elif row.state is State.READY and row.queued_at < book.now - timedelta(seconds=QUEUE_S):
                self._expire(message_id, book.messages[message_id].error_code or "CARRIER_UNAVAILABLE")
                expired += 1
        return Swept(orphaned=orphaned, expired=expired)

    def _expire(self, message_id: UUID, code: str) -> None:
        del self.book.queue[message_id]
        self._unhold(self.book.messages[message_id])
        self._move(message_id, State.EXPIRED, code, billing=Billing.RELEASED, error_code=code)

    async def reroute(self, known: Collection[str]) -> int:
        long_due = self.book.now - timedelta(seconds=60)
        waiting = [row for row in self.book.queue.values() if row.state is State.READY and row.due_at < long_due]
        strays = [row for row in waiting if row.route not in known]
        for row in strays:
            row.route = DEFAULT_ROUTE
        return len(strays)

    async def seconds_to_next_due(self, route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> float | None:
        due = [
            row.due_at
            for row in self.book.queue.values()
            if row.state is State.READY
            and row.route == route
            and not (set(carriers) or {"any"}) <= row.avoid
            and (row.expires_at is None or row.expires_at > self.book.now)
        ]
        return max(0.0, (min(due) - self.book.now).total_seconds()) if due else None

    async def resend(
        self,
        message_id: UUID,
        max_retries: int,
        route: str = DEFAULT_ROUTE,
        *,
        accounts: Accounts,
        api_key: str | None = None,
    ) -> Message:
        message = self._existing(message_id, accounts)
        is_outdated = message.expires_at is not None and message.expires_at <= self.book.now
        check_resend(message, is_outdated=is_outdated, max_retries=max_retries)
        if not self.book.wanted(message):
            raise opted_out(message.sender_id, message.account_id)
        account = self._account(message.account_id)
        self.book.accounts[account.id] = account.hold(message.total, message.mode)
        epoch = 100_000 * (message.retry_count + 1)
        self.book.queue[message_id] = Queued(
            self.book.now, self.book.now, State.READY, epoch, route=route, expires_at=message.expires_at
        )
        self.book.messages[message_id] = replace(
            message,
            retry_count=message.retry_count + 1,
            earlier_charged=message.charged,
            earlier_refunded=message.refunded,
        )
        return self._move(message_id, State.READY, billing=Billing.HELD, error_code=None, delivered_at=None)

    async def cancel(self, message_id: UUID, accounts: Accounts) -> Message:
        self._existing(message_id, accounts)
        return self.cancel_as(message_id, "CANCELLED")

    def cancel_as(self, message_id: UUID, code: str) -> Message:
        """Stops a message that was not submitted yet, for the reason of a code."""
        message = self._existing(message_id)
        row = self.book.queue.get(message_id)
        check_cancel(message, is_queued=row is not None and row.state is State.READY)
        del self.book.queue[message_id]
        self._unhold(message)
        return self._move(message_id, State.CANCELLED, code, billing=Billing.RELEASED, error_code=code)

    async def find(self, account_id: str, key: str, fingerprint: bytes) -> Message | None:
        known = self.book.keys.get((account_id, key))
        return self.book.messages[known[1]] if known is not None and known[0] == fingerprint else None

    async def get(self, message_id: UUID, accounts: Accounts) -> Message | None:
        message = self.book.messages.get(message_id)
        return message if message is None or accounts is None or message.account_id in accounts else None

    async def get_many(self, message_ids: Sequence[UUID]) -> Sequence[Message]:
        return [self.book.messages[message_id] for message_id in message_ids if message_id in self.book.messages]

    async def list(self, wanted: ListFilter, limit: int, after: tuple[datetime, UUID] | None) -> Sequence[Message]:
        found = [
            message
            for message in self.book.messages.values()
            if message.account_id == wanted.account_id
            and wanted.status in (None, message.status)
            and (wanted.tag is None or wanted.tag in message.tags)
            and wanted.mode in (None, message.mode)
            and wanted.recipient in (None, message.recipient)
            and (wanted.created_from is None or message.created_at >= wanted.created_from)
            and (wanted.created_before is None or message.created_at < wanted.created_before)
            and (after is None or (message.created_at, message.id) < after)
        ]
        return sorted(found, key=lambda message: (message.created_at, message.id), reverse=True)[:limit]

    def _account(self, account_id: str) -> Account:
        zero = Decimal(0)
        mode = AccountMode.POSTPAID
        if self.unknown_accounts is UnknownAccounts.PREPAID:
            mode = AccountMode.PREPAID
        new = Account(account_id, mode, AccountStatus.ACTIVE, zero, zero, zero, self.book.now)
        account = self.book.accounts.get(account_id, new)
        return replace(account, usage=account.usage.at(self.book.now))

    def _existing(self, message_id: UUID, accounts: Accounts = None) -> Message:
        message = self.book.messages.get(message_id)
        if message is None or (accounts is not None and message.account_id not in accounts):
            raise ServiceError(Kind.NOT_FOUND, "OUTBOX_ENTRY_NOT_FOUND", "no such entry")
        return message

    def _unhold(self, message: Message, *, charged: bool = False) -> None:
        account = self.book.accounts[message.account_id]
        owed = message.total if charged else Decimal(0)
        if charged and message.mode is AccessMode.LIVE:
            self.book.charges.append((account.id, message.id, owed))
        self.book.accounts[account.id] = replace(
            account, held=account.held - message.total, posted=account.posted - owed
        )

    def _move(self, message_id: UUID, state: State, code: str | None = None, /, **changes: object) -> Message:
        old = self.book.messages[message_id]
        new = replace(old, state=state, **changes)  # type: ignore[arg-type]  # fields of Message by name
        self.book.messages[message_id] = new
        self.book.events.append(Event(message_id, new.retry_count + 1, old.state, state, code))
        return new
