"""Receipts on their way to the client that asked for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

import smpp34

from messaging_service.carriers.smpp.codec.receipt_forms import (
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
)
from messaging_service.carriers.smpp.codec.status import OK
from sandbox_carriers.smpp.behaviours import ReceiptPlan
from sandbox_carriers.smpp.phones import PhoneMessage
from sandbox_carriers.smpp.texts import text_of

IN_FLIGHT: Final = 200
"""Receipts that one link has unacknowledged at most."""
KEPT: Final = 50_000
"""Receipts kept for a client that is not bound; the oldest go first."""

_ESM_CLASS_RECEIPT: Final = 0x04
_GSM_NETWORK: Final = 3
_QUOTED: Final = 20


class Receipt(NamedTuple):
    """One receipt, complete but for its sequence number."""

    message: PhoneMessage
    message_id: str
    plan: ReceiptPlan
    request: smpp34.SubmitSm
    submitted_at_s: float

    def encode(self, sequence: int, now_s: float) -> bytes:
        """The deliver_sm, with the receipt in its text and in its parameters."""
        plan, request = self.plan, self.request
        delivered = "001" if plan.word == "DELIVRD" else "000"
        quoted = text_of(request.short_message[:_QUOTED], request.data_coding) if not request.esm_class else ""
        text = (
            f"id:{self.message_id} sub:001 dlvrd:{delivered} submit date:{_date(self.submitted_at_s)} "
            f"done date:{_date(now_s)} stat:{plan.word} err:{plan.error:03d} text:{quoted}"
        )
        tlvs = [
            smpp34.Tlv(TLV_RECEIPTED_MESSAGE_ID, self.message_id.encode() + b"\x00"),
            smpp34.Tlv(TLV_MESSAGE_STATE, bytes((plan.state,))),
        ]
        if plan.error:
            tlvs.append(smpp34.Tlv(TLV_NETWORK_ERROR_CODE, bytes((_GSM_NETWORK, 0, plan.error))))
        return smpp34.DeliverSm(
            request.destination_addr,
            request.source_addr,
            text.encode("ascii", "replace"),
            source_addr_ton=request.dest_addr_ton,
            source_addr_npi=request.dest_addr_npi,
            dest_addr_ton=request.source_addr_ton,
            dest_addr_npi=request.source_addr_npi,
            esm_class=_ESM_CLASS_RECEIPT,
            tlvs=tlvs,
            sequence_number=sequence,
        ).encode()

    @property
    def system_id(self) -> str:
        """The client that it is for."""
        return self.message.system_id

    @property
    def is_receipt(self) -> bool:
        """Whether it counts as a receipt."""
        return True

    def was_sent(self) -> None:
        """The link has it."""
        self.message.receipt = self.plan.word
        self.message.receipts_sent += 1

    def was_acknowledged(self) -> None:
        """The client has it."""
        self.message.receipts_acknowledged += 1


class Delivery(Protocol):
    """What a deliver_sm brings: a receipt, or what a phone wrote."""

    @property
    def system_id(self) -> str:
        """The client that it is for."""
        ...

    @property
    def is_receipt(self) -> bool:
        """Whether it counts as a receipt."""
        ...

    def encode(self, sequence: int, now_s: float) -> bytes:
        """The deliver_sm."""
        ...

    def was_sent(self) -> None:
        """The link has it."""
        ...

    def was_acknowledged(self) -> None:
        """The client has it."""
        ...


class ReceiverLink(Protocol):
    """A link of a client that takes receipts."""

    in_flight: dict[int, Delivery]
    """Those sent and not acknowledged yet, by sequence number."""

    def deliver(self, delivery: Delivery) -> None:
        """Sends one, and puts it into `in_flight`."""
        ...


class _Mailbox:
    """The receipts of one system id, and its links that take them."""

    __slots__ = ("links", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Delivery] = deque(maxlen=KEPT)
        self.links: list[ReceiverLink] = []


class ReceiptQueue:
    """Sends each receipt when it is due, until it is acknowledged; keeps it while nobody is bound."""

    def __init__(self, delay_s: float, retry_s: float, changed: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay_s = delay_s
        self._retry_s = retry_s
        self._changed = changed
        self._due: deque[tuple[float, Receipt]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._retries: set[asyncio.TimerHandle] = set()
        self._mailboxes: dict[str, _Mailbox] = {}
        self.sent = 0
        self.acknowledged = 0

    @property
    def receivers(self) -> list[str]:
        """The clients that are bound for receiving."""
        return [system_id for system_id, box in self._mailboxes.items() if box.links]

    @property
    def waiting(self) -> int:
        """Receipts that are not acknowledged yet, whether due or not."""
        boxes = self._mailboxes.values()
        unsent = len(self._due) + len(self._retries) + sum(len(box.waiting) for box in boxes)
        return unsent + sum(len(link.in_flight) for box in boxes for link in box.links)

    def schedule(self, receipt: Receipt) -> None:
        """Sends a receipt after the delay, once or twice as its plan says."""
        due = self._loop.time() + self._delay_s
        for _ in range(receipt.plan.copies):
            self._due.append((due, receipt))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._release)

    def send_now(self, delivery: Delivery) -> None:
        """Sends without any delay, or keeps it for the next bind."""
        box = self._mailbox(delivery.system_id)
        box.waiting.append(delivery)
        self._pump(box)

    def join(self, system_id: str, link: ReceiverLink) -> None:
        """A link that takes receipts was bound; what was kept goes out by it."""
        box = self._mailbox(system_id)
        box.links.append(link)
        self._pump(box)

    def leave(self, system_id: str, link: ReceiverLink) -> None:
        """A link is gone; what it did not acknowledge is kept for the next one."""
        box = self._mailboxes.get(system_id)
        if box is None or link not in box.links:
            return
        box.links.remove(link)
        box.waiting.extendleft(reversed(link.in_flight.values()))
        link.in_flight.clear()
        self._pump(box)
        if not box.links and not box.waiting:
            del self._mailboxes[system_id]

    def answered(self, system_id: str, link: ReceiverLink, sequence: int, status: int) -> None:
        """A client answered a receipt: with an error it comes again later."""
        delivery = link.in_flight.pop(sequence, None)
        if delivery is None:
            return
        if status == OK:
            self.acknowledged += delivery.is_receipt
            delivery.was_acknowledged()
        else:
            self._again_later(delivery)
        self._pump(self._mailbox(system_id))
        self._changed()

    def stop(self) -> None:
        """Sends no more."""
        if self._timer is not None:
            self._timer.cancel()
        for timer in self._retries:
            timer.cancel()
        self._retries.clear()
        self._mailboxes.clear()
        self._due.clear()

    def _mailbox(self, system_id: str) -> _Mailbox:
        box = self._mailboxes.get(system_id)
        if box is None:
            box = self._mailboxes[system_id] = _Mailbox()
        return box

    def _release(self) -> None:
        self._timer = None
        now = self._loop.time()
        touched: dict[str, _Mailbox] = {}
        while self._due:
            due, receipt = self._due[0]
            if due > now:
                self._timer = self._loop.call_at(due, self._release)
                break
            self._due.popleft()
            system_id = receipt.system_id
            box = touched[system_id] = self._mailbox(system_id)
            box.waiting.append(receipt)
        for box in touched.values():
            self._pump(box)

    def _again_later(self, delivery: Delivery) -> None:
        def again() -> None:
            self._retries.discard(timer)
            self.send_now(delivery)

        timer = self._loop.call_later(self._retry_s, again)
        self._retries.add(timer)

    def _pump(self, box: _Mailbox) -> None:
        if not box.waiting:
            return
        for link in box.links:
            while box.waiting and len(link.in_flight) < IN_FLIGHT:
                delivery = box.waiting.popleft()
                link.deliver(delivery)
                self.sent += delivery.is_receipt
                delivery.was_sent()
        self._changed()


def _date(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%y%m%d%H%M")
