"""Requests, prices and outcomes for tests to start from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from uuid_utils.compat import uuid7

from messaging_service.carriers.domain.submission import Outcome, OutcomeKind
from messaging_service.sending.domain.send_request import SendRequest
from messaging_service.sending.domain.validation import SendDraft, validate
from messaging_service.sending.outbox import Acceptance, Claim, Settlement
from messaging_service.shared.domain.message import outbox_id
from messaging_service.shared.domain.money import Price, PriceLevel

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ACCOUNT = "user123"
RECIPIENT = "+254712345678"
TWO_UNITS = "a" * 161
PRICE = Price(Decimal("0.600000"), "cost_1", PriceLevel.DIRECT_CUSTOMER)

_references = count(1)


def draft(**changes: Any) -> SendDraft:
    """A draft without a fault."""
    fields: dict[str, Any] = {
        "user_id": ACCOUNT,
        "recipient_phone_number": RECIPIENT,
        "message": "Your OTP is 123456.",
        "sender_id": "TUKUPAY",
    }
    return SendDraft(**(fields | changes))


def request(now: datetime = NOON, **changes: Any) -> SendRequest:
    """A checked request."""
    return validate(draft(**changes), now=now, phone_problem=lambda _: None, max_units=10)


def acceptance(*, claimed: bool = False, price: Price = PRICE, now: datetime = NOON, **changes: Any) -> Acceptance:
    """A request ready to be recorded, under a new id."""
    message_id = uuid7()
    checked = request(now, **changes)
    return Acceptance(
        message_id=message_id,
        request=checked,
        price=price,
        priced_at=now,
        price_known_at=now - timedelta(days=1),
        key=checked.client_message_id or outbox_id(message_id),
        fingerprint=checked.fingerprint(),
        claimed=claimed,
    )


def accepted(*references: str, carrier: str = "smpp") -> Outcome:
    """The carrier took every part; one part with an id of its own unless told otherwise."""
    ids = references or (f"C{next(_references):08X}",)
    return Outcome(OutcomeKind.ACCEPTED, carrier, carrier_message_ids=ids, raw="ESME_ROK")


def refused(code: str = "INVALID_RECIPIENT") -> Outcome:
    """The carrier will not take it."""
    return Outcome(OutcomeKind.REFUSED, "smpp", error_code=code, raw="ESME_RINVDSTADR")


def not_taken(code: str = "CARRIER_BUSY") -> Outcome:
    """Proven not taken."""
    return Outcome(OutcomeKind.NOT_TAKEN, "smpp", error_code=code, raw="ESME_RSYSERR")


def unanswered(*references: str) -> Outcome:
    """No answer came, after those parts that were answered."""
    return Outcome(OutcomeKind.UNKNOWN, "smpp", references, "CARRIER_NO_ANSWER", "no answer in time")


def settlement(claim: Claim, outcome: Outcome, retry_in_s: float = 0.0) -> Settlement:
    """The outcome of a claim."""
    return Settlement(claim.message, claim.epoch, outcome, retry_in_s)
