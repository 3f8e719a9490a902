"""One message as the submit_sm parts that carry it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import smpp34

from messaging_service.carriers.domain.submission import Validity
from messaging_service.carriers.smpp.codec.addresses import Address
from messaging_service.carriers.smpp.codec.alphabets import ESM_CLASS_UDH, octets_of
from messaging_service.carriers.smpp.codec.concatenation import ConcatenationReferences
from messaging_service.carriers.smpp.codec.pdu import (
    TLV_MESSAGE_PAYLOAD,
    TLV_SAR_NUMBER,
    TLV_SAR_REFERENCE,
    TLV_SAR_TOTAL,
)
from messaging_service.carriers.smpp.codec.validity import validity_period
from messaging_service.carriers.smpp.smpp_settings import LongText, SmppSettings
from messaging_service.texts.segmentation import Segmentation

_NO_TLVS: Final[list[smpp34.Tlv]] = []


class Part:
    """One submit_sm, complete but for the sequence number that its session gives it."""

    __slots__ = ("_data_coding", "_esm_class", "_octets", "_recipient", "_sender", "_settings", "_tlvs", "_validity")

    def __init__(
        self,
        settings: SmppSettings,
        sender: Address,
        recipient: Address,
        octets: bytes,
        *,
        data_coding: int,
        validity: str,
        esm_class: int = 0,
        tlvs: list[smpp34.Tlv] = _NO_TLVS,
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._recipient = recipient
        self._octets = octets
        self._data_coding = data_coding
        self._validity = validity
        self._esm_class = esm_class
        self._tlvs = tlvs

    def encode(self, sequence: int) -> bytes:
        """The PDU; asks for a receipt whatever becomes of the part."""
        sender, recipient, settings = self._sender, self._recipient, self._settings
        return smpp34.SubmitSm(
            sender.digits,
            recipient.digits,
            self._octets,
            service_type=settings.service_type,
            source_addr_ton=sender.ton,
            source_addr_npi=sender.npi,
            dest_addr_ton=recipient.ton,
            dest_addr_npi=recipient.npi,
            esm_class=self._esm_class,
            validity_period=self._validity,
            registered_delivery=settings.registered_delivery,
            data_coding=self._data_coding,
            tlvs=self._tlvs,
            sequence_number=sequence,
        ).encode()


class PartMaker:
    """Makes parts the way that one carrier wants them."""

    def __init__(
        self,
        settings: SmppSettings,
        references: ConcatenationReferences | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._references = references or ConcatenationReferences()
        self._now = now

    def parts_of(
        self, sender: Address, recipient: Address, cut: Segmentation, wanted: Validity | None = None
    ) -> list[Part]:
        """The parts of a message in order; one when the carrier is to cut the text.

        Raises ValueError when a segment does not fit the encoding that the cut names.
        """
        settings = self._settings
        data_coding, bodies = octets_of(cut, settings)
        validity = ""
        if wanted is not None or settings.default_validity_s:
            validity = validity_period(wanted, self._now(), settings)

        def part(octets: bytes, esm_class: int = 0, tlvs: list[smpp34.Tlv] = _NO_TLVS) -> Part:
            return Part(
                settings,
                sender,
                recipient,
                octets,
                data_coding=data_coding,
                validity=validity,
                esm_class=esm_class,
                tlvs=tlvs,
            )

        if len(bodies) == 1:
            return [part(bodies[0])]
        if settings.long_text is LongText.PAYLOAD:
            return [part(b"", tlvs=[smpp34.Tlv(TLV_MESSAGE_PAYLOAD, b"".join(bodies))])]
        reference = self._references.allot(recipient.digits)
        total = len(bodies)
        if settings.long_text is LongText.SAR:
            # The parameter has 16 bits, but a carrier that makes an 8-bit header of it keeps the low ones only.
            return [part(body, tlvs=_sar(reference, total, number)) for number, body in enumerate(bodies, 1)]
        return [
            part(bytes((5, 0, 3, reference, total, number)) + body, ESM_CLASS_UDH)
            for number, body in enumerate(bodies, 1)
        ]


def _sar(reference: int, total: int, number: int) -> list[smpp34.Tlv]:
    return [
        smpp34.Tlv(TLV_SAR_REFERENCE, reference.to_bytes(2, "big")),
        smpp34.Tlv(TLV_SAR_TOTAL, bytes((total,))),
        smpp34.Tlv(TLV_SAR_NUMBER, bytes((number,))),
    ]
