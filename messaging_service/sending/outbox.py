"""The port to the outbox: each method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from messaging_service.carriers.domain.routing import DEFAULT_ROUTE
from messaging_service.carriers.domain.submission import Outcome
from messaging_service.sending.domain.send_request import SendRequest
from messaging_service.shared.domain.message import Message
from messaging_service.shared.domain.money import Price
from messaging_service.shared.domain.states import Billing, State, Status
from service_kit.access.principal import AccessMode, Accounts
from service_kit.errors import ServiceError
from service_kit.tracing.trace_context import TraceContext


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A request to record, priced."""

    message_id: UUID
    request: SendRequest
    price: Price
    priced_at: datetime
    """As in Message."""
    price_known_at: datetime | None
    """As in Message."""
    key: str
    """The idempotency key within the account."""
    fingerprint: bytes
    """Of the request: distinguishes a repetition from a reused key."""
    claimed: bool
    """True when a slot of the carrier's window is reserved: the row is recorded as already owned by this
    process, so that no other can claim it."""
    route: str = DEFAULT_ROUTE
    """Name of the route whose carriers may take it."""
    api_key: str | None = None
    """The id of the API key that sends it, whose limits count; None for other callers."""
    trace_id: bytes | None = None
    """The trace and the span of its request, as they are stored; None unless it is sampled."""

    @property
    def total(self) -> Decimal:
        """KES to hold: units × unit price."""
        return self.price.total(self.request.segmentation.units)

    def message(self, state: State, created_at: datetime, last_attempt_at: datetime | None) -> Message:
        """The message that the request becomes once it is on record, its money on hold."""
        request = self.request
        return Message(
            id=self.message_id,
            account_id=request.account_id,
            client_message_id=self.key,
            app_id=request.app_id,
            recipient=request.recipient,
            text=request.text,
            sender_id=request.sender_id,
            message_name=request.message_name,
            priority=request.priority,
            encoding=request.segmentation.encoding,
            units=request.segmentation.units,
            price=self.price,
            priced_at=self.priced_at,
            price_known_at=self.price_known_at,
            total=self.total,
            state=state,
            billing=Billing.HELD,
            retry_count=0,
            error_code=None,
            carrier_error_code=None,
            carrier=None,
            created_at=created_at,
            scheduled_at=request.scheduled_at,
            expires_at=request.expires_at,
            sent_at=None,
            last_attempt_at=last_attempt_at,
            delivered_at=None,
            tags=request.tags,
            custom_data_json=request.custom_data_json,
            mode=request.mode,
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request on record."""

    message: Message
    replayed: bool
    """True when the key was known: `message` is the stored entry and nothing was recorded now."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of this process to submit a message, until its lease runs out."""

    message: Message
    epoch: int
    """Rises with every claim of the message; a settlement counts only with the present one."""
    tries: int
    """Claims of the present attempt that were proven not taken."""
    fence: float
    """On the monotonic clock: after it no byte may leave under this claim."""
    avoid: frozenset[str] = frozenset()
    """Carriers that are proven never to take the message."""
    valid_until: float | None = None
    """On the monotonic clock: from then on the message is not wanted any more; None for no such end."""
    trace: TraceContext | None = None
    """The span at which its trace stands, of one that is sampled and comes from the queue; else None."""


def valid_until(message: Message, began: float, claimed_at: datetime | None) -> float | None:
    """The end of a message's validity on the monotonic clock; None when it has none.

    `claimed_at` is when it was claimed on the database's clock, and `began` an instant of the monotonic clock
    that is not later: so the end comes out too early by a moment at worst, whatever the clock of this machine says.
    """
    if message.expires_at is None or claimed_at is None:
        return None
    return began + (message.expires_at - claimed_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a claim, to record."""

    message: Message
    epoch: int
    outcome: Outcome
    retry_in_s: float
    """For an outcome that was not taken: how long the message stays in the queue before the next claim."""
    avoid: str | None = None
    """For an outcome that was not taken: a carrier that is not to be asked again; None for none."""
    trace_id: bytes | None = None
    """The trace and the span of the attempt, as they are stored; None unless it is sampled."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement came to."""

    message: Message
    """As it stands in the outbox now."""
    applied: bool
    """False when the claim was no longer this process's: the outcome was not recorded."""


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which entries to list. None means any."""

    account_id: str
    status: Status | None = None
    tag: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    mode: AccessMode | None = None
    recipient: str | None = None
    """In E.164."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows a sweep moved."""

    orphaned: int
    """Submitting under a lease that ran out: now unknown."""
    expired: int
    """Unknown or queued beyond their window, or queued beyond their validity: now expired, their hold released."""
    resent: int = 0
    """Unknown for the time after which their accounts want them sent again: now ready for a new attempt."""
    more: bool = False
    """Whether more rows may be due than one sweep takes: sweep again at once."""


class Outbox(Protocol):
    """The outbox and its dispatch queue.

    Every method raises ServiceError DATABASE_UNAVAILABLE when the database cannot be reached.
    """

    async def accept(self, batch: Sequence[Acceptance]) -> Sequence[Accepted | ServiceError]:
        """Records requests with their holds, each with its own result (T1).

        Errors of single items: MESSAGE_ID_REUSED (`other_request`), INSUFFICIENT_FUNDS, ACCOUNT_NOT_ACTIVE.
        """
        ...

    async def claim(self, limit: int, route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> Sequence[Claim]:
        """Takes due messages of a route from the queue, the high lane first; the normal lane keeps a tenth.

        `carriers`: where there is room now; messages that avoid all of them are left. None given means any.
        Never takes one whose validity is over on the database's clock.
        """
        ...

    async def settle(self, batch: Sequence[Settlement]) -> Sequence[Settled | ServiceError]:
        """Records outcomes with their charges or releases, guarded by epoch (T2)."""
        ...

    async def reroute(self, known: Collection[str]) -> int:
        """Gives due messages of routes that nobody serves any more to the default route; how many."""
        ...

    async def sweep(self) -> Swept:
        """Ends what nobody ends any more: leases, unknown windows, queue times and validities that ran out."""
        ...

    async def seconds_to_next_due(self, route: str = DEFAULT_ROUTE, carriers: Collection[str] = ()) -> float | None:
        """How long until the next queued message of a route is due, 0 when one is; None when none is queued.

        `carriers`: as for `claim`; messages that it would leave do not count.
        """
        ...

    async def resend(
        self,
        message_id: UUID,
        max_retries: int,
        route: str = DEFAULT_ROUTE,
        *,
        accounts: Accounts,
        api_key: str | None = None,
    ) -> Message:
        """Queues a failed message for another attempt by a route, held again at its frozen price.

        `accounts`: as for `get`; a message of another one is not found. `api_key`: as in Acceptance.

        Raises OUTBOX_ENTRY_NOT_FOUND, NOT_FAILED, CANCELLED, VALIDITY_OVER, RETRY_LIMIT_REACHED,
        INSUFFICIENT_FUNDS, ACCOUNT_NOT_ACTIVE.
        """
        ...

    async def cancel(self, message_id: UUID, accounts: Accounts) -> Message:
        """Stops a message that was not submitted yet. Raises OUTBOX_ENTRY_NOT_FOUND, NOT_CANCELLABLE.

        `accounts`: as for `get`.
        """
        ...

    async def find(self, account_id: str, key: str, fingerprint: bytes) -> Message | None:
        """The message recorded under an idempotency key for a request with this fingerprint, or None."""
        ...

    async def get(self, message_id: UUID, accounts: Accounts) -> Message | None:
        """One message; None when there is none of these accounts. `accounts`: those of the caller, None for all."""
        ...

    async def get_many(self, message_ids: Sequence[UUID]) -> Sequence[Message]:
        """Those of the messages that exist, in no particular order."""
        ...

    async def list(self, wanted: ListFilter, limit: int, after: tuple[datetime, UUID] | None) -> Sequence[Message]:
        """Messages of an account, newest first, those after a position."""
        ...
