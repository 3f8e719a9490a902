"""One message of the outbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.encoding import Encoding
from messaging_service.shared.domain.money import Price
from messaging_service.shared.domain.states import STATUS_OF, Billing, Priority, State, Status
from service_kit.access.principal import AccessMode
from service_kit.errors import Kind, ServiceError

ID_PREFIX = "outbox_"
_ID = re.compile(ID_PREFIX + r"([0-9a-f]{32})")


def outbox_id(message_id: UUID) -> str:
    """The public spelling of a message's id."""
    return ID_PREFIX + message_id.hex


def parse_outbox_id(text: str) -> UUID | None:
    """The id behind its public spelling; None when it cannot be one."""
    match = _ID.fullmatch(text)
    return UUID(hex=match[1]) if match else None


def no_such_entry(public_id: str) -> ServiceError:
    """The error for an entry that does not exist, or is not the caller's."""
    return ServiceError(
        Kind.NOT_FOUND,
        reasons.OUTBOX_ENTRY_NOT_FOUND,
        f"there is no outbox entry {public_id}; check the id",
        metadata={"outbox_id": public_id},
    )


def is_shown(mode: AccessMode, caller: AccessMode) -> bool:
    """Whether messages of a mode are there for a caller: with a test credential, test messages alone are."""
    return caller is AccessMode.LIVE or mode is AccessMode.TEST


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the outbox."""

    id: UUID
    """UUIDv7, set at acceptance."""
    account_id: str
    client_message_id: str
    """The client's idempotency key, or the public id when it gave none."""
    app_id: str | None
    recipient: str
    text: str
    """Empty when it is erased, or still sealed in `content`."""
    sender_id: str
    message_name: str | None
    priority: Priority
    encoding: Encoding
    units: int
    """What the account pays for and what goes on the wire; frozen at acceptance."""
    price: Price
    """Frozen at acceptance."""
    priced_at: datetime | None
    """The instant that it was the price of, on the price book's clock: the scheduled one when that lay ahead, else
    the time of the question. None for messages recorded before it was kept."""
    price_known_at: datetime | None
    """When the newest change that the price book had then was recorded, on its clock. With `priced_at` it derives
    the price again, whatever was recorded since. None when it was not kept."""
    total: Decimal
    """KES; units × unit price."""
    state: State
    """Moved only by the dispatcher, receipts, cancel and resend."""
    billing: Billing
    retry_count: int
    """Resends so far."""
    error_code: str | None
    """Code of the latest failure (failures.py); None while there is none. While READY it says why the try
    before was not taken. Cleared by a resend."""
    carrier_error_code: str | None
    """The carrier's own error code in the receipt that failed the message; None when it gave none."""
    carrier: str | None
    """Who took or refused it last; None before an attempt ended."""
    created_at: datetime
    scheduled_at: datetime | None
    expires_at: datetime | None
    """From then on it is not submitted any more, and expires when it is still queued. None for no such end."""
    sent_at: datetime | None
    """When the carrier's acceptance was recorded."""
    last_attempt_at: datetime | None
    """When the latest attempt began, the first included."""
    delivered_at: datetime | None
    tags: tuple[str, ...]
    custom_data_json: str | None
    earlier_charged: Decimal = Decimal(0)
    """KES charged for the attempts before the present one."""
    earlier_refunded: Decimal = Decimal(0)
    """KES of those charges that were paid back."""
    content: bytes | None = field(default=None, repr=False)
    """The text and the custom data under their key, as they are stored. None once they are opened, and where they are
    stored as they are."""
    is_text_erased: bool = False
    """Whether the text and the custom data are gone for good: their retention is over, or their phone was erased."""
    mode: AccessMode = AccessMode.LIVE
    """Of the credential that it was sent with. A test message goes to sandbox carriers only, and its price is 0."""

    @property
    def held(self) -> Decimal:
        """KES reserved on the account for the present attempt."""
        return self.total if self.billing is Billing.HELD else Decimal(0)

    @property
    def charged(self) -> Decimal:
        """KES charged over all attempts: what the ledger has of the message."""
        is_charged = self.billing in {Billing.CHARGED, Billing.REFUNDED}
        return self.earlier_charged + (self.total if is_charged else Decimal(0))

    @property
    def refunded(self) -> Decimal:
        """KES paid back over all attempts: what the ledger has of the message."""
        return self.earlier_refunded + (self.total if self.billing is Billing.REFUNDED else Decimal(0))

    @property
    def status(self) -> Status:
        """The public word for the state."""
        return STATUS_OF[self.state]
