"""One message as the submit_sm parts that carry it (3GPP TS 23.040 section 9.2.3.24.1)."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import smpp34

from messaging_service.adapters.carriers.smpp.addresses import (
    NPI_ISDN,
    TON_INTERNATIONAL,
    Address,
)
from messaging_service.domain import gsm7
from messaging_service.domain.segmentation import Encoding, Segmentation

DATA_CODING_DEFAULT: Final = 0
DATA_CODING_UCS2: Final = 8
ESM_CLASS_UDH: Final = 0x40
RECEIPT_ALWAYS: Final = 1

_REFERENCES: Final = 256
_REMEMBERED_RECIPIENTS: Final = 20_000


class ConcatenationReferences:
    """Allots the 8-bit reference that tells a phone which parts belong together.

    Each recipient has its own count, so a reference comes again only after 255 other long messages to
    the same phone. A phone that is new here starts anywhere, as another process may be writing to it too.
    """

    def __init__(
        self,
        remembered: int = _REMEMBERED_RECIPIENTS,
        random_reference: Callable[[], int] = lambda: secrets.randbelow(_REFERENCES),
    ) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        self._remembered = remembered
        self._random_reference = random_reference

    def allot(self, recipient: str) -> int:
        """The next reference for this phone, 0 to 255."""
        last = self._last.pop(recipient, None)
        reference = self._random_reference() if last is None else (last + 1) % _REFERENCES
        self._last[recipient] = reference
        if len(self._last) > self._remembered:
            self._last.popitem(last=False)
        return reference


class Part:
    """One submit_sm, complete but for the sequence number that its session gives it."""

    __slots__ = ("_data_coding", "_esm_class", "_octets", "_recipient", "_sender")

    def __init__(self, sender: Address, recipient: str, octets: bytes, data_coding: int, esm_class: int) -> None:
        self._sender = sender
        self._recipient = recipient
        self._octets = octets
        self._data_coding = data_coding
        self._esm_class = esm_class

    def encode(self, sequence: int) -> bytes:
        """The PDU; asks for a receipt whatever becomes of the part."""
        sender = self._sender
        return smpp34.SubmitSm(
            sender.digits,
            self._recipient,
            self._octets,
            source_addr_ton=sender.ton,
            source_addr_npi=sender.npi,
            dest_addr_ton=TON_INTERNATIONAL,
            dest_addr_npi=NPI_ISDN,
            esm_class=self._esm_class,
            registered_delivery=RECEIPT_ALWAYS,
            data_coding=self._data_coding,
            sequence_number=sequence,
        ).encode()


def parts_of(sender: Address, recipient: str, cut: Segmentation, references: ConcatenationReferences) -> list[Part]:
    """The parts of a message in order.

    `recipient` is the digits without `+`. Raises ValueError when a segment does not fit the encoding that
    the cut names.
    """
    if cut.encoding is Encoding.GSM7:
        data_coding = DATA_CODING_DEFAULT
        bodies = [gsm7.encode_unpacked(segment) for segment in cut.segments]
    else:
        data_coding = DATA_CODING_UCS2
        bodies = [segment.encode("utf-16-be") for segment in cut.segments]
    if len(bodies) == 1:
        return [Part(sender, recipient, bodies[0], data_coding, 0)]
    reference = references.allot(recipient)
    total = len(bodies)
    return [
        Part(
            sender,
            recipient,
            bytes((5, 0, 3, reference, total, number)) + body,
            data_coding,
            ESM_CLASS_UDH,
        )
        for number, body in enumerate(bodies, 1)
    ]
