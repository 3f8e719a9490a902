"""SMPP 3.4 PDUs as octets.

`smpp34` encodes and decodes the two PDUs with many fields, submit_sm and deliver_sm. The rest are a header
with at most a few strings, which the standard library packs faster than a call could cross into Rust.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

import smpp34

from messaging_service.carriers.smpp.codec.framing import HEADER_LENGTH, PduError

INTERFACE_VERSION: Final = 0x34
RESPONSE: Final = 0x8000_0000
"""The bit of a command id that makes it an answer."""
MAX_SEQUENCE: Final = 0x7FFF_FFFF

MAX_MESSAGE_ID: Final = 255
"""Characters of a carrier's message id that are kept. The protocol allows 64; what is far longer is garbage,
and would not fit a database index."""

TLV_SC_INTERFACE_VERSION: Final = 0x0210
TLV_SAR_REFERENCE: Final = 0x020C
TLV_SAR_TOTAL: Final = 0x020E
TLV_SAR_NUMBER: Final = 0x020F
TLV_MESSAGE_PAYLOAD: Final = 0x0424

MAX_ADDRESS: Final = 64
"""Characters of an address that are kept, the most that data_sm has room for."""
_ADDRESS_KIND: Final = 2
_DATA_SM_NUMBERS: Final = 3
"""Octets of esm_class, registered_delivery and data_coding."""

_HEADER = struct.Struct(">IIII")
_TLV = struct.Struct(">HH")


class Command(IntEnum):
    """The command ids that this adapter speaks (SMPP 3.4 section 5.1.2.1); add RESPONSE for the answer."""

    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    BIND_TRANSCEIVER = 0x09
    ENQUIRE_LINK = 0x15
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103


SUBMIT_SM: Final = int(Command.SUBMIT_SM)
SUBMIT_SM_RESP: Final = RESPONSE | Command.SUBMIT_SM
DELIVER_SM: Final = int(Command.DELIVER_SM)
DELIVER_SM_RESP: Final = RESPONSE | Command.DELIVER_SM
DATA_SM: Final = int(Command.DATA_SM)
ENQUIRE_LINK: Final = int(Command.ENQUIRE_LINK)
ENQUIRE_LINK_RESP: Final = RESPONSE | Command.ENQUIRE_LINK
UNBIND: Final = int(Command.UNBIND)
UNBIND_RESP: Final = RESPONSE | Command.UNBIND
GENERIC_NACK: Final = RESPONSE


class Header(NamedTuple):
    """The four numbers in front of every PDU."""

    length: int
    command: int
    status: int
    sequence: int


class Bind(NamedTuple):
    """What a client says of itself when it binds."""

    system_id: str
    password: str
    system_type: str
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""
    """Which addresses the session serves; empty for all of the account."""


def header_of(pdu: bytes) -> Header:
    """Reads the header of a whole PDU. Raises PduError when there are too few octets for one."""
    try:
        return Header._make(_HEADER.unpack_from(pdu))
    except struct.error:
        raise PduError("a PDU is shorter than its header") from None


def bare(command: int, sequence: int, status: int = 0) -> bytes:
    """A PDU without a body: enquire_link, unbind, their answers, generic_nack, an error answer."""
    return _HEADER.pack(HEADER_LENGTH, command, status, sequence)


def with_body(command: int, sequence: int, body: bytes, status: int = 0) -> bytes:
    """A PDU of a header and these octets."""
    return _HEADER.pack(HEADER_LENGTH + len(body), command, status, sequence) + body


def message_id_answer(command: int, sequence: int, message_id: str = "", status: int = 0) -> bytes:
    """A submit_sm_resp, deliver_sm_resp or data_sm_resp; the id of the last two is always empty."""
    return with_body(command, sequence, message_id.encode("ascii") + b"\x00", status)


def message_id_in(pdu: bytes) -> str:
    """The message id of a submit_sm_resp; empty when it carries none.

    Error answers come with and without a body, and some carriers forget the closing zero: both read well.
    """
    return c_string_in(pdu[HEADER_LENGTH:], MAX_MESSAGE_ID)


def bind_request(command: int, sequence: int, bind: Bind) -> bytes:
    """A bind_transceiver, bind_transmitter or bind_receiver.

    Raises PduError when a string has a character outside ASCII or a zero.
    """
    strings = b"".join(c_string(value) for value in (bind.system_id, bind.password, bind.system_type))
    numbers = bytes((bind.interface_version, bind.addr_ton, bind.addr_npi))
    return with_body(command, sequence, strings + numbers + c_string(bind.address_range))


def bind_in(pdu: bytes) -> Bind:
    """Reads a bind request. Raises PduError when a field up to the interface version is missing."""
    fields = pdu[HEADER_LENGTH:].split(b"\x00", 3)
    if len(fields) <= 3 or not fields[3]:
        raise PduError("a bind request ends before its interface version")
    system_id, password, system_type = (value.decode("ascii", "replace") for value in fields[:3])
    version, ton, npi = fields[3][:3].ljust(3, b"\x00")
    return Bind(system_id, password, system_type, version, ton, npi, c_string_in(fields[3][3:], MAX_ADDRESS))


def c_string(value: str) -> bytes:
    """The text as a C-Octet String. Raises PduError when it has a zero or a character outside ASCII."""
    try:
        octets = value.encode("ascii")
    except UnicodeEncodeError:
        raise PduError("a string has a character outside ASCII") from None
    if 0 in octets:
        raise PduError("a string has a zero inside")
    return octets + b"\x00"


def c_string_in(octets: bytes, max_length: int) -> str:
    """What comes before the first zero, cut to a length; octets outside ASCII read as U+FFFD."""
    return octets.partition(b"\x00")[0][:max_length].decode("ascii", "replace")


def submit_sm_in(pdu: bytes) -> smpp34.SubmitSm:
    """Reads a submit_sm. Raises PduError when it is malformed."""
    decoded = _decode(pdu)
    if not isinstance(decoded, smpp34.SubmitSm):
        raise PduError("the PDU is no submit_sm")
    return decoded


def deliver_sm_in(pdu: bytes) -> smpp34.DeliverSm:
    """Reads a deliver_sm. Raises PduError when it is malformed.

    Octets outside UTF-8 in its addresses read as U+FFFD; broken optional parameters at its end are
    dropped, as what comes before them is good.
    """
    decoded = _decode(pdu)
    if not isinstance(decoded, smpp34.DeliverSm):
        raise PduError("the PDU is no deliver_sm")
    return decoded


def data_sm_in(pdu: bytes) -> smpp34.DeliverSm:
    """Reads a data_sm, which is a deliver_sm with fewer fields, as one. Raises PduError when it is malformed.

    Broken optional parameters at its end are dropped, as what comes before them is good.
    """
    body = pdu[HEADER_LENGTH:]
    _, _, rest = body.partition(b"\x00")
    source_kind, source, rest = _address_in(rest)
    destination_kind, destination, rest = _address_in(rest)
    if len(rest) < _DATA_SM_NUMBERS:
        raise PduError("a data_sm ends before its data_coding")
    esm_class, _, data_coding = rest[:_DATA_SM_NUMBERS]
    return smpp34.DeliverSm(
        source,
        destination,
        b"",
        source_addr_ton=source_kind[0],
        source_addr_npi=source_kind[1],
        dest_addr_ton=destination_kind[0],
        dest_addr_npi=destination_kind[1],
        esm_class=esm_class,
        data_coding=data_coding,
        tlvs=_tlvs_in(rest[_DATA_SM_NUMBERS:]),
    )


def _address_in(octets: bytes) -> tuple[tuple[int, int], str, bytes]:
    """Type and plan, the address itself, and what comes after it."""
    if len(octets) < _ADDRESS_KIND:
        raise PduError("a data_sm ends before an address")
    digits, end, rest = octets[_ADDRESS_KIND:].partition(b"\x00")
    if not end:
        raise PduError("a data_sm ends within an address")
    return (octets[0], octets[1]), digits[:MAX_ADDRESS].decode("ascii", "replace"), rest


def _tlvs_in(octets: bytes) -> list[smpp34.Tlv]:
    tlvs: list[smpp34.Tlv] = []
    at = 0
    while at + _TLV.size <= len(octets):
        tag, length = _TLV.unpack_from(octets, at)
        at += _TLV.size
        if at + length > len(octets):
            break
        tlvs.append(smpp34.Tlv(tag, octets[at : at + length]))
        at += length
    return tlvs


def message_octets(message: smpp34.SubmitSm | smpp34.DeliverSm) -> bytes:
    """The user data, which is in message_payload when short_message is empty."""
    if message.sm_length:
        return message.short_message
    for tlv in message.tlvs:
        if tlv.tag == TLV_MESSAGE_PAYLOAD:
            return tlv.value
    return b""


def _decode(pdu: bytes) -> smpp34.SubmitSm | smpp34.DeliverSm | smpp34.RawPdu:
    try:
        return smpp34.decode(pdu)
    except (smpp34.SmppError, ValueError) as error:
        raise PduError(f"a PDU is malformed: {error}") from None
