"""PDUs that no honest peer sends: real ones with faults, and noise in a good frame."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Final

import smpp34

from messaging_service.carriers.smpp.codec.pdu import (
    ENQUIRE_LINK,
    GENERIC_NACK,
    SUBMIT_SM_RESP,
    UNBIND,
    bare,
    message_id_answer,
    with_body,
)

COMMANDS: Final = (
    0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0x08, 0x09, 0x0B, 0x15, 0x21, 0x102, 0x103, 0x111, 0x7FFFFFFF,
    0x80000000, 0x80000001, 0x80000002, 0x80000004, 0x80000005, 0x80000009, 0x80000015, 0x80000103, 0xFFFFFFFF,
)  # fmt: skip
TAGS: Final = (0x001E, 0x0423, 0x0427, 0x0424, 0x020C, 0x020E, 0x020F, 0x0210, 0x1400, 0xFFFF)
RECEIPT: Final = b"id:0A1B sub:001 dlvrd:001 submit date:2611221030 done date:2611221031 stat:DELIVRD err:000 text:Your"


class Fuzzer:
    """An endless row of PDUs, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def pdus(self) -> Iterator[bytes]:
        """PDUs whose frame is good, so that what follows them can still be read."""
        kinds = (self._noise, self._arrival, self._broken_arrival, self._data_sm, self._answer, self._bare, self._big)
        while True:
            yield self._dice.choices(kinds, (10, 30, 30, 10, 10, 8, 1))[0]()

    def _sequence(self) -> int:
        dice = self._dice
        return dice.choice((0, 1, 2, dice.randrange(200), dice.randrange(1 << 32), 0x7FFFFFFF, 0xFFFFFFFF))

    def _noise(self) -> bytes:
        dice = self._dice
        body = dice.randbytes(dice.randrange(120))
        return with_body(dice.choice(COMMANDS), self._sequence(), body, dice.choice((0, 1, 0x58, 0xFFFFFFFF)))

    def _tlvs(self) -> list[smpp34.Tlv]:
        dice = self._dice
        return [
            smpp34.Tlv(dice.choice(TAGS), dice.randbytes(dice.choice((0, 1, 2, 3, 9, 70, 300))))
            for _ in range(dice.randrange(4))
        ]

    def _arrival(self) -> bytes:
        dice = self._dice
        text = dice.choice((RECEIPT, b"", b"STOP", dice.randbytes(dice.randrange(160)), b"id:" + b"9" * 200))
        return smpp34.DeliverSm(
            dice.choice(("254712345678", "", "MPESA", "+254712345678", "0712345678", "9" * 20)),
            dice.choice(("22141", "TUKUPAY", "")),
            text,
            source_addr_ton=dice.randrange(8),
            esm_class=dice.choice((0, 4, 0x20, 0x40, 0x44, 0x80, dice.randrange(256))),
            data_coding=dice.choice((0, 1, 3, 4, 8, 0x18, 0xF5, dice.randrange(256))),
            tlvs=self._tlvs(),
            sequence_number=self._sequence() or 1,
        ).encode()

    def _broken_arrival(self) -> bytes:
        """An arrival with octets changed, left out or added behind its header, and a length that fits."""
        dice = self._dice
        pdu = bytearray(self._arrival())
        for _ in range(dice.randrange(1, 6)):
            if len(pdu) <= 17:
                break
            at = dice.randrange(16, len(pdu))
            fault = dice.randrange(4)
            if fault == 0:
                pdu[at] = dice.randrange(256)
            elif fault == 1:
                del pdu[at : at + dice.randrange(1, 30)]
            elif fault == 2:
                pdu[at:at] = dice.randbytes(dice.randrange(1, 30))
            else:
                del pdu[at:]
        return _reframed(pdu)

    def _data_sm(self) -> bytes:
        dice = self._dice
        head = b"\0\x01\x01254712345678\0\x03\x0022141\0" + bytes((dice.randrange(256), 0, dice.randrange(256)))
        tlvs = b"".join(struct.pack(">HH", tlv.tag, len(tlv.value)) + tlv.value for tlv in self._tlvs())
        pdu = bytearray(with_body(0x103, self._sequence(), head + tlvs))
        if dice.random() < 0.5:
            del pdu[dice.randrange(16, len(pdu)) :]
        return _reframed(pdu)

    def _answer(self) -> bytes:
        dice = self._dice
        status = dice.choice((0, 0, 0x0B, 0x58, 0x14, 0x64, dice.randrange(1 << 32)))
        return message_id_answer(SUBMIT_SM_RESP, self._sequence(), "7" * dice.choice((0, 1, 12, 65, 400)), status)

    def _bare(self) -> bytes:
        dice = self._dice
        return bare(
            dice.choice((ENQUIRE_LINK, ENQUIRE_LINK | 0x80000000, GENERIC_NACK, SUBMIT_SM_RESP)), self._sequence()
        )

    def _big(self) -> bytes:
        dice = self._dice
        return with_body(dice.choice(COMMANDS), self._sequence(), bytes(dice.randrange(65_000)))


FATAL: Final = (
    bytes(16),
    b"\xff" * 64,
    b"GET / HTTP/1.1\r\n\r\n",
    (1 << 24).to_bytes(4, "big") + bytes(12),
    bare(UNBIND, 7),
)
"""After one of these a link is over."""


def _reframed(pdu: bytearray) -> bytes:
    return len(pdu).to_bytes(4, "big") + bytes(pdu[4:])
