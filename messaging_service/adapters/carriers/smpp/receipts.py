"""Delivery receipts, as carriers write them into a deliver_sm.

SMPP 3.4 gives the fields as optional parameters, and its appendix B a text of which every vendor has its
own: `id:… sub:… dlvrd:… submit date:… done date:… stat:DELIVRD err:… text:…`, with dates of 10 or 12
digits, with fields left out, in any case. A parameter wins over the text.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import smpp34

from messaging_service.adapters.carriers.smpp.addresses import phone_in
from messaging_service.adapters.carriers.smpp.alphabets import without_header
from messaging_service.adapters.carriers.smpp.message_ids import IdReader
from messaging_service.adapters.carriers.smpp.pdu import MAX_MESSAGE_ID, c_string_in, message_octets
from messaging_service.domain.submission import DeliveryReceipt, ReceiptState

TLV_RECEIPTED_MESSAGE_ID: Final = 0x001E
TLV_NETWORK_ERROR_CODE: Final = 0x0423
TLV_MESSAGE_STATE: Final = 0x0427

_MESSAGE_TYPE_BITS: Final = 0x3C
_RECEIPT: Final = 0x04
_INTERMEDIATE: Final = 0x20
_NETWORK_ERROR_LENGTH: Final = 3
_MAX_RAW: Final = 400
_CENTURY: Final = "20"
_LONG_DATE: Final = 14
"""Digits of the one form that writes the year with four."""
_DATE_LENGTHS: Final = (12, 14)
"""Digits of a date with its century: to the minute or to the second."""

_STATES: Final[dict[int, ReceiptState]] = {
    1: ReceiptState.ENROUTE,
    2: ReceiptState.DELIVERED,
    3: ReceiptState.EXPIRED,
    4: ReceiptState.DELETED,
    5: ReceiptState.UNDELIVERABLE,
    6: ReceiptState.ACCEPTED,
    7: ReceiptState.UNKNOWN,
    8: ReceiptState.REJECTED,
}
_WORDS: Final[dict[str, ReceiptState]] = {
    "ENROUTE": ReceiptState.ENROUTE,
    "BUFFERED": ReceiptState.ENROUTE,
    "DELIVRD": ReceiptState.DELIVERED,
    "DELIVERED": ReceiptState.DELIVERED,
    "EXPIRED": ReceiptState.EXPIRED,
    "DELETED": ReceiptState.DELETED,
    "UNDELIV": ReceiptState.UNDELIVERABLE,
    "UNDELIVERABLE": ReceiptState.UNDELIVERABLE,
    "UNDELIVERED": ReceiptState.UNDELIVERABLE,
    "FAILED": ReceiptState.UNDELIVERABLE,
    "ACCEPTD": ReceiptState.ACCEPTED,
    "ACCEPTED": ReceiptState.ACCEPTED,
    "UNKNOWN": ReceiptState.UNKNOWN,
    "REJECTD": ReceiptState.REJECTED,
    "REJECTED": ReceiptState.REJECTED,
}

_TEXT_FIELD = re.compile(r"(?:^|\s)text\s*:", re.IGNORECASE)
_ID = re.compile(r"(?:^|\s)id\s*:\s*([^\s:]++)(?!:)", re.IGNORECASE)
_STATE = re.compile(r"(?:^|\s)stat\s*:\s*([A-Za-z]+)", re.IGNORECASE)
_ERROR = re.compile(r"(?:^|\s)err\s*:\s*([0-9A-Za-z]+)", re.IGNORECASE)
_DONE = re.compile(r"done\s*date\s*:\s*([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReceiptText:
    """The fields of a receipt's text; None for each that it lacks."""

    message_id: str | None
    state: ReceiptState | None
    error: str | None
    done_at: datetime | None


def is_receipt(message: smpp34.DeliverSm) -> bool:
    """Whether the carrier says that this is a receipt.

    By its message type or a parameter only: anybody with a phone can send a text that looks like one.
    """
    if message.esm_class & _MESSAGE_TYPE_BITS in (_RECEIPT, _INTERMEDIATE):
        return True
    return any(tlv.tag == TLV_RECEIPTED_MESSAGE_ID for tlv in message.tlvs)


def receipt_in(
    carrier: str, message: smpp34.DeliverSm, id_as_submitted: IdReader = str, country_code: str = ""
) -> DeliveryReceipt | None:
    """The receipt in a deliver_sm; None when it does not say which message it is about.

    `id_as_submitted` turns the id into the spelling of the answer to the submit; `country_code` is that of
    national numbers, empty when there are none.
    """
    text = _without_quoted_message(_receipt_text(message))
    fields = parse_receipt_text(text)
    message_id, state, error = fields.message_id, fields.state, fields.error
    parameters: list[str] = []
    for tlv in message.tlvs:
        if tlv.tag == TLV_RECEIPTED_MESSAGE_ID:
            message_id = c_string_in(tlv.value, MAX_MESSAGE_ID).strip() or message_id
        elif tlv.tag == TLV_MESSAGE_STATE and len(tlv.value) == 1:
            state = _STATES.get(tlv.value[0], state)
        elif tlv.tag == TLV_NETWORK_ERROR_CODE and len(tlv.value) == _NETWORK_ERROR_LENGTH:
            error = _network_error(tlv.value) or error
        else:
            continue
        parameters.append(f"0x{tlv.tag:04X}={tlv.value.hex()}")
    if not message_id:
        return None
    if message.esm_class & _MESSAGE_TYPE_BITS == _INTERMEDIATE:
        state = ReceiptState.ENROUTE  # It reports a try on the way; only the receipt of type 0x04 is the last word.
    return DeliveryReceipt(
        carrier=carrier,
        carrier_message_id=id_as_submitted(message_id),
        state=state or ReceiptState.UNKNOWN,
        recipient=phone_in(message.source_addr_ton, message.source_addr, country_code),
        sender_id=message.destination_addr or None,
        network_error=error,
        done_at=fields.done_at,
        raw=" ".join((text, *parameters)).strip()[:_MAX_RAW],
    )


def parse_receipt_text(text: str) -> ReceiptText:
    """Reads appendix B's text in any vendor's spelling; what follows `text:` is never looked at."""
    head = _without_quoted_message(text)
    message_id, state, error, done = (pattern.search(head) for pattern in (_ID, _STATE, _ERROR, _DONE))
    return ReceiptText(
        message_id=message_id[1][:MAX_MESSAGE_ID] if message_id else None,
        state=_WORDS.get(state[1].upper()) if state else None,
        error=error[1] if error and error[1].strip("0") else None,
        done_at=_date(done[1]) if done else None,
    )


def _receipt_text(message: smpp34.DeliverSm) -> str:
    octets = without_header(message_octets(message), message.esm_class)
    octets = octets.removeprefix(BOM_UTF16_BE).removeprefix(BOM_UTF16_LE).removeprefix(BOM_UTF8)
    # A stray octet must not cost the fields around it, and a zero has no place in a database's text: without its
    # zeros, UCS-2 in either order reads as ASCII.
    return octets.decode("ascii", "replace").replace("\x00", "")


def _without_quoted_message(text: str) -> str:
    """Drops the field that quotes the start of our own message, which may be an OTP."""
    quoted = _TEXT_FIELD.search(text)
    return text[: quoted.start()].rstrip() if quoted else text.rstrip()


def _network_error(value: bytes) -> str | None:
    code = int.from_bytes(value[1:], "big")
    return f"{value[0]}:{code}" if code else None


def _date(digits: str) -> datetime | None:
    if len(digits) != _LONG_DATE:
        digits = _CENTURY + digits
    if len(digits) not in _DATE_LENGTHS:
        return None
    month, day, hour, minute = (int(digits[at : at + 2]) for at in (4, 6, 8, 10))
    try:
        # Ten times as fast as strptime, and receipts come as often as submits go.
        return datetime(int(digits[:4]), month, day, hour, minute, int(digits[12:] or 0), tzinfo=UTC)
    except ValueError:
        return None
