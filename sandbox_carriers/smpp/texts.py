"""What a phone makes of the octets of a part."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import smpp34

from messaging_service.carriers.smpp.codec.alphabets import (
    DATA_CODING_ASCII,
    DATA_CODING_DEFAULT,
    DATA_CODING_LATIN1,
    DATA_CODING_UCS2,
    ESM_CLASS_UDH,
)
from messaging_service.carriers.smpp.codec.pdu import (
    TLV_SAR_NUMBER,
    TLV_SAR_REFERENCE,
    TLV_SAR_TOTAL,
    message_octets,
)
from messaging_service.texts import gsm7

_ENCODINGS: Final = {
    DATA_CODING_DEFAULT: "gsm7",
    DATA_CODING_ASCII: "ascii",
    DATA_CODING_LATIN1: "latin1",
    DATA_CODING_UCS2: "ucs2",
}
_CODECS: Final = {
    DATA_CODING_ASCII: "ascii",
    DATA_CODING_LATIN1: "latin-1",
    DATA_CODING_UCS2: "utf-16-be",
}
_BASIC: Final = dict(enumerate(gsm7.BASIC))
_IE_CONCATENATED_8: Final = (0x00, 3)
_IE_CONCATENATED_16: Final = (0x08, 4)


class Fragment(NamedTuple):
    """The user data of one submit and its place in the message."""

    octets: bytes
    reference: int
    total: int
    number: int


def fragment_in(message: smpp34.SubmitSm) -> Fragment:
    """The part, by its user data header or its SAR parameters; a message of one part without either.

    A header that makes no sense is shown as text, as a phone would.
    """
    octets = message_octets(message)
    if message.esm_class & ESM_CLASS_UDH:
        return _by_header(octets)
    values = {tlv.tag: int.from_bytes(tlv.value, "big") for tlv in message.tlvs}
    if TLV_SAR_TOTAL in values:
        return _sane(
            Fragment(
                octets,
                values.get(TLV_SAR_REFERENCE, 0),
                values[TLV_SAR_TOTAL],
                values.get(TLV_SAR_NUMBER, 0),
            )
        )
    return Fragment(octets, 0, 1, 1)


def text_of(octets: bytes, data_coding: int) -> str:
    """What a phone shows; octets that mean nothing show as U+FFFD, an unknown coding as hexadecimal."""
    if data_coding == DATA_CODING_DEFAULT:
        if not octets.isascii():
            return octets.decode("ascii", "replace")
        if b"\x1b" in octets:
            return gsm7.decode_unpacked(octets)
        return octets.decode("ascii").translate(_BASIC)
    codec = _CODECS.get(data_coding)
    return octets.decode(codec, "replace") if codec else octets.hex()


def encoding_name(data_coding: int) -> str:
    """`gsm7`, `ucs2`, `latin1`, `ascii`, or `data_coding N`."""
    return _ENCODINGS.get(data_coding, f"data_coding {data_coding}")


def _by_header(octets: bytes) -> Fragment:
    whole = Fragment(octets, 0, 1, 1)
    end = octets[0] + 1 if octets else 0
    if not 0 < end <= len(octets):
        return whole
    position = 1
    while position + 2 <= end:
        kind = (octets[position], octets[position + 1])
        value = octets[position + 2 : position + 2 + kind[1]]
        if len(value) == kind[1] and kind in (_IE_CONCATENATED_8, _IE_CONCATENATED_16):
            reference, total, number = struct.unpack(">BBB" if kind[1] == len("BBB") else ">HBB", value)
            return _sane(Fragment(octets[end:], reference, total, number))
        position += 2 + kind[1]
    return Fragment(octets[end:], 0, 1, 1)


def _sane(fragment: Fragment) -> Fragment:
    if 1 <= fragment.number <= fragment.total <= 255:
        return fragment
    return fragment._replace(reference=0, total=1, number=1)
