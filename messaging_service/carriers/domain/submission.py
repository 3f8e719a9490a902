"""Handing a message to a carrier, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from messaging_service.texts.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class Validity:
    """Until when a message is wanted."""

    until: datetime
    """UTC."""
    left_s: float
    """Seconds until then by the database's clock, as of the submission: a period needs no clock of this machine."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One message as a carrier gets to see it."""

    message_id: str
    """Our outbox id, for logs; never on the wire."""
    sender_id: str
    recipient: str
    """E.164 with its `+`."""
    segmentation: Segmentation
    """The same cut that the account pays for."""
    epoch: int
    """Of the claim under which it is submitted; tells the tries of one message apart."""
    validity: Validity | None = None
    """The carrier is asked to give up after it. None leaves that to the carrier."""
    send_within_s: float | None = None
    """Seconds, as of the submission, within which the last part of it must leave: another process may decide about
    the message later. None leaves that to the carrier's own time-outs."""


class OutcomeKind(StrEnum):
    """The four things that an attempt can come to."""

    ACCEPTED = "accepted"
    """The carrier took every part and answered so."""
    REFUSED = "refused"
    """The carrier answered that it will not take it; trying again cannot help by itself."""
    NOT_TAKEN = "not_taken"
    """Proven not taken (no byte was written, or the carrier said "later"): safe to try again."""
    UNKNOWN = "unknown"
    """Bytes may have left and no answer came; never sent again by itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt to submit a message came to."""

    kind: OutcomeKind
    carrier: str
    """Name of the carrier that was asked."""
    carrier_message_ids: tuple[str, ...] = ()
    """The carrier's raw identifier of each part it accepted, in part order. A carrier that names a message as a
    whole has the same one for every part."""
    error_code: str | None = None
    """Stable code of the failure (see failures.py); None when accepted."""
    raw: str = ""
    """The carrier's answer as it gave it, for the audit trail; never the text of the message."""
    only_elsewhere: bool = False
    """With NOT_TAKEN: this carrier will never take it, another may. Where there is no other, it is refused."""
    carrier_parts: int | None = None
    """How many parts the carrier counted; None when it did not say."""
    carrier_cost: Decimal | None = None
    """What the carrier charges us for the message, KES; None when it did not say."""


@dataclass(frozen=True, slots=True)
class LateOutcome:
    """What a submit that came out UNKNOWN came to after all."""

    message_id: str
    """As in the Submission."""
    epoch: int
    """As in the Submission."""
    outcome: Outcome


class ReceiptState(StrEnum):
    """The states of a delivery receipt, as SMPP 3.4 section 5.2.28 names them."""

    ENROUTE = "enroute"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    DELETED = "deleted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """What a carrier reports about one part of a message that it took earlier."""

    carrier: str
    carrier_message_id: str
    """As the carrier spelled it."""
    state: ReceiptState
    recipient: str | None
    """The phone, E.164 with `+` where the carrier gave enough to tell; None when it gave none."""
    sender_id: str | None
    network_error: str | None
    """The carrier's own error code; None when it gave none."""
    done_at: datetime | None
    """When the carrier says that it happened, UTC; None when it did not say. Carriers' clocks and
    zones are not to be trusted: for display only."""
    raw: str
    """The receipt as it came, for the audit trail."""
    network: str | None = None
    """MCC and MNC of the network that the phone is on; None when the carrier did not say."""
    speaks_for_all_parts: bool = False
    """Whether the carrier reports on messages as a whole, and so on every part at once."""
    other_message_id: str | None = None
    """A second reading of the id, for a carrier that may write it in either of two ways; `carrier_message_id` goes
    first. None when there is one reading only."""
    speaks_for_known_parts: bool = False
    """Whether the carrier reports on one part alone, whose state is then that of every part it is known to have."""
    is_of_phone_alone: bool = False
    """Whether somebody with a phone may have written it. It then moves only messages to `recipient` that have its
    id, and settles no unknown outcome."""
    failure_code: str | None = None
    """Stable code of a failure that the carrier names more closely than `state` does; None for that of the state."""


def canonical_carrier_id(raw: str) -> str:
    """The form in which two spellings of a carrier's message id are compared.

    Carriers answer a submit with one spelling and report with another: case and leading zeros
    differ. "0" and "000" stay "0".
    """
    return raw.strip().lower().lstrip("0") or "0"
