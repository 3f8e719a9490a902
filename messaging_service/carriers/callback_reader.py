"""What carriers post to us over HTTP, and the port to who reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from messaging_service.carriers.domain.submission import DeliveryReceipt
from messaging_service.opt_outs.domain.inbound import InboundMessage


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of a message, in the carrier's words."""

    carrier_message_id: str
    status: str
    phone_number: str
    """As the carrier spelled it; empty when it gave none."""
    network_code: str
    """MCC and MNC of the phone's network; empty when it gave none."""
    failure_reason: str
    """The carrier's word; empty when it gave none."""
    retry_count: int | None
    """How often the carrier tried again; None when it did not say."""


@dataclass(frozen=True, slots=True)
class OptOut:
    """A phone that wants no more messages, as the carrier reports it."""

    phone_number: str
    sender_id: str


@dataclass(frozen=True, slots=True)
class PhoneMessage:
    """What a phone wrote, as the carrier posted it."""

    phone_number: str
    sent_to: str
    """The short code or sender id that the phone wrote to."""
    text: str


class CallbackReader(Protocol):
    """Knows the vocabulary of one carrier."""

    def receipt(self, report: DeliveryReport) -> DeliveryReceipt:
        """What a delivery report says; a word that is not known becomes the state UNKNOWN."""
        ...

    def message(self, message: PhoneMessage) -> InboundMessage | None:
        """What a phone wrote; None when its number is none."""
        ...

    def opt_out(self, opt_out: OptOut) -> InboundMessage | None:
        """A wish to hear no more; None when the phone's number is none."""
        ...
