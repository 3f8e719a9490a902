"""What a carrier brings of its own accord: receipts, and messages from phones."""

from __future__ import annotations

from typing import Final

import smpp34
import structlog

from messaging_service.carriers.carrier import CarrierSinks
from messaging_service.carriers.domain.submission import DeliveryReceipt
from messaging_service.carriers.smpp.binds.session_events import Acknowledging
from messaging_service.carriers.smpp.codec.framing import PduError
from messaging_service.carriers.smpp.codec.pdu import DATA_SM, RESPONSE, Header, data_sm_in, deliver_sm_in
from messaging_service.carriers.smpp.codec.receipt_forms import ReceiptReader, is_receipt, looks_like_receipt
from messaging_service.carriers.smpp.codec.status import OK, Status
from messaging_service.carriers.smpp.intake import Intake
from messaging_service.carriers.smpp.phone_messages import NotInbound, inbound_in
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.opt_outs.domain.inbound import InboundMessage

log = structlog.get_logger()

_FOR_GOOD: Final = int(Status.ESME_RX_P_APPN)
"""What cannot be read now cannot be read later either: a temporary error would bring it for ever."""

MAX_SENDERS_WARNED_OF: Final = 100
"""Senders whose receipts without a type are warned of."""


class DeliveryTicket:
    """The answer that a deliver_sm or data_sm waits for."""

    __slots__ = ("_command", "_sequence", "_session")

    def __init__(self, session: Acknowledging, header: Header) -> None:
        self._session = session
        self._command = RESPONSE | header.command
        self._sequence = header.sequence

    def acknowledge(self, status: int) -> None:
        """Answers; silent when the link is gone."""
        self._session.acknowledge(self._command, self._sequence, status)


class Arrivals:
    """Tells receipts from messages, and has both stored before they are acknowledged."""

    def __init__(self, carrier: str, settings: SmppSettings, sinks: CarrierSinks) -> None:
        self._carrier = carrier
        self._settings = settings
        self._reader = ReceiptReader(carrier, settings)
        self._senders_without_type: set[str] = set()
        terms = (settings.store_timeout_s, settings.not_stored_status)
        self._receipts: Intake[DeliveryReceipt] = Intake(carrier, "smpp.receipts_not_stored", sinks.receipts, *terms)
        self._inbound: Intake[InboundMessage] = Intake(carrier, "smpp.inbound_not_stored", sinks.inbound, *terms)

    def open(self) -> None:
        """Takes arrivals again after a drain."""
        self._receipts.open()
        self._inbound.open()

    async def drain(self, timeout_s: float) -> None:
        """Takes no more, and waits until what came is stored; what is left, the carrier brings again."""
        await self._receipts.drain(timeout_s)
        await self._inbound.drain(timeout_s)

    def take(self, session: Acknowledging, header: Header, pdu: bytes) -> None:
        """Acts on one deliver_sm or data_sm."""
        ticket = DeliveryTicket(session, header)
        try:
            message = data_sm_in(pdu) if header.command == DATA_SM else deliver_sm_in(pdu)
        except PduError:
            log.warning("smpp.deliver_unreadable", carrier=self._carrier, octets=len(pdu))
            ticket.acknowledge(_FOR_GOOD)
            return
        is_typed = is_receipt(message)
        if is_typed or (looks_like_receipt(message) and self._takes_without_type(message.destination_addr)):
            self._take_receipt(ticket, message, is_typed=is_typed)
            return
        try:
            inbound = inbound_in(self._carrier, message, self._settings)
        except NotInbound as reason:
            log.warning("smpp.inbound_refused", carrier=self._carrier, octets=len(pdu), reason=str(reason))
            ticket.acknowledge(_FOR_GOOD)
            return
        if inbound.text is None:
            log.warning(
                "smpp.inbound_unreadable",
                carrier=self._carrier,
                octets=len(pdu),
                sender=inbound.sender_id,
                reason=f"data_coding {message.data_coding} is no text",
            )
        self._inbound.put(ticket, inbound)

    def _take_receipt(self, ticket: DeliveryTicket, message: smpp34.DeliverSm, *, is_typed: bool) -> None:
        receipt = self._reader.receipt(message, is_of_phone_alone=not is_typed)
        if receipt is None:
            log.warning("smpp.receipt_without_id", carrier=self._carrier)
            ticket.acknowledge(OK)
            return
        self._receipts.put(ticket, receipt)

    def _takes_without_type(self, sender: str) -> bool:
        """Whether a text that looks like a receipt is taken for one; warns once for each sender when it is not."""
        if self._settings.receipts_without_type:
            return True
        if sender not in self._senders_without_type and len(self._senders_without_type) < MAX_SENDERS_WARNED_OF:
            self._senders_without_type.add(sender)
            log.warning(
                "smpp.receipt_without_type",
                carrier=self._carrier,
                sender=sender,
                remedy="it was kept as a message from a phone: ask the carrier to send receipts with esm_class 0x04, "
                "or set receipts_without_type",
            )
        return False
