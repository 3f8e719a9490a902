"""Messages that phones wrote, as a carrier hands them over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import smpp34

from messaging_service.carriers.smpp.codec.addresses import phone_in
from messaging_service.carriers.smpp.codec.alphabets import text_in, without_header
from messaging_service.carriers.smpp.codec.pdu import message_octets
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.shared.phone_numbers import masked


class NotInbound(Exception):  # noqa: N818 - says what the PDU is not
    """A deliver_sm that is no text from a phone; the message says why, and never what it held."""


def inbound_in(
    carrier: str,
    message: smpp34.DeliverSm,
    settings: SmppSettings,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> InboundMessage:
    """The message of a phone, or one part of a long one. Raises NotInbound.

    One that is no text is kept without it: its phone may have asked for no more messages.

    The parts of a long text are handed over one by one: to wait for the rest would mean to acknowledge what is not
    stored, or to withhold an acknowledgement that the carrier needs before it brings the next part.
    """
    phone = phone_in(message.source_addr_ton, message.source_addr, settings.country_code)
    if phone is None:
        address = masked(message.source_addr)
        raise NotInbound(f"its sender, {address} of TON {message.source_addr_ton}, is no phone number in any reading")
    octets = without_header(message_octets(message), message.esm_class)
    text = text_in(octets, message.data_coding, settings.inbound_alphabet)
    return InboundMessage(
        carrier=carrier,
        phone=phone,
        sender_id=message.destination_addr.replace("\x00", ""),
        text=text,
        is_opt_out=False,
        received_at=now(),
    )
