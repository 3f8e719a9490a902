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

from messaging_service.carriers.domain.submission import DeliveryReceipt, ReceiptState, canonical_carrier_id
from messaging_service.carriers.smpp.codec.addresses import phone_in
from messaging_service.carriers.smpp.codec.alphabets import without_header
from messaging_service.carriers.smpp.codec.message_ids import id_reader
from messaging_service.carriers.smpp.codec.pdu import MAX_MESSAGE_ID, c_string_in, message_octets
from messaging_service.carriers.smpp.smpp_settings import LongText, ReceiptsOfParts, SmppSettings
from messaging_service.carriers.template.receipt_words import WORD, UnknownWords, states_of

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
    9: ReceiptState.UNDELIVERABLE,
}
"""Up to 8 those of SMPP 3.4 section 5.2.28; 9 is "skipped" of SMPP 5.0 section 4.7.15."""
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
    "UNDELIVRD": ReceiptState.UNDELIVERABLE,
    "SYSERR": ReceiptState.UNDELIVERABLE,
    "SKIPPED": ReceiptState.UNDELIVERABLE,
    "REJECTD": ReceiptState.REJECTED,
    "REJECT": ReceiptState.REJECTED,
    "NACK": ReceiptState.REJECTED,
    "NOCRED": ReceiptState.REJECTED,
    "REJECTED": ReceiptState.REJECTED,
}

_TEXT_FIELD = re.compile(r"(?:^|\s)text\s*:", re.IGNORECASE)
_ID = re.compile(r"(?:^|\s)id\s*:\s*([^\s:]++)(?!:)", re.IGNORECASE)
_STATE = re.compile(rf"(?:^|\s)stat\s*:\s*({WORD.pattern})", re.IGNORECASE)
_ERROR = re.compile(r"(?:^|\s)err\s*:\s*([0-9A-Za-z]+)", re.IGNORECASE)
_DONE = re.compile(r"done\s*date\s*:\s*([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReceiptText:
    """The fields of a receipt's text; None for each that it lacks."""

    message_id: str | None
    word: str | None
    """Of the state, in capitals."""
    error: str | None
    done_at: datetime | None


def is_receipt(message: smpp34.DeliverSm) -> bool:
    """Whether the carrier says that this is a receipt.

    By its message type or a parameter only: anybody with a phone can send a text that looks like one.
    """
    if message.esm_class & _MESSAGE_TYPE_BITS in (_RECEIPT, _INTERMEDIATE):
        return True
    return any(tlv.tag == TLV_RECEIPTED_MESSAGE_ID for tlv in message.tlvs)


def looks_like_receipt(message: smpp34.DeliverSm) -> bool:
    """Whether the text is that of a receipt, whatever the carrier says that it is."""
    if message.esm_class & _MESSAGE_TYPE_BITS:
        return False
    fields = parse_receipt_text(_receipt_text(message))
    return fields.message_id is not None and fields.word is not None


class ReceiptReader:
    """Reads the receipts of one carrier."""

    def __init__(self, carrier: str, settings: SmppSettings) -> None:
        self._carrier = carrier
        self._country_code = settings.country_code
        self._id_as_submitted = id_reader(settings.submit_ids, settings.receipt_ids)
        self._speaks_for_all_parts = settings.long_text is LongText.PAYLOAD
        self._speaks_for_known_parts = settings.receipts is ReceiptsOfParts.FIRST
        own = states_of(settings.receipt_states)
        self._words = _WORDS | own
        self._numbers = _STATES | {number: own[_shown(number)] for number in range(256) if _shown(number) in own}
        self._unknown_words = UnknownWords(carrier, "smpp.receipt_state_unknown")

    def receipt(self, message: smpp34.DeliverSm, *, is_of_phone_alone: bool = False) -> DeliveryReceipt | None:
        """The receipt in a deliver_sm; None when it does not say which message it is about.

        `is_of_phone_alone`: whether only its text says that it is one.
        """
        text = _without_quoted_message(_receipt_text(message))
        fields = parse_receipt_text(text)
        words, error = [fields.word] if fields.word else [], fields.error
        state = self._words.get(fields.word) if fields.word else None
        parameter_id: str | None = None
        parameters: list[str] = []
        for tlv in message.tlvs:
            if tlv.tag == TLV_RECEIPTED_MESSAGE_ID:
                parameter_id = c_string_in(tlv.value, MAX_MESSAGE_ID).strip() or None
            elif tlv.tag == TLV_MESSAGE_STATE and len(tlv.value) == 1:
                state = self._numbers.get(tlv.value[0], state)
                words.append(_shown(tlv.value[0]))
            elif tlv.tag == TLV_NETWORK_ERROR_CODE and len(tlv.value) == _NETWORK_ERROR_LENGTH:
                error = _network_error(tlv.value) or error
            else:
                continue
            parameters.append(f"0x{tlv.tag:04X}={tlv.value.hex()}")
        if parameter_id is None and fields.message_id is None:
            return None
        if message.esm_class & _MESSAGE_TYPE_BITS == _INTERMEDIATE:
            state = ReceiptState.ENROUTE  # It reports a try on the way; only the receipt of type 0x04 is the last word.
        if state is None:
            for word in words:
                self._unknown_words.found(word)
        first, second = self._readings(fields.message_id, parameter_id)
        return DeliveryReceipt(
            carrier=self._carrier,
            carrier_message_id=first,
            state=state or ReceiptState.UNKNOWN,
            recipient=phone_in(message.source_addr_ton, message.source_addr, self._country_code),
            sender_id=message.destination_addr or None,
            network_error=error,
            done_at=fields.done_at,
            raw=" ".join((text, *parameters)).strip()[:_MAX_RAW],
            speaks_for_all_parts=self._speaks_for_all_parts,
            other_message_id=second,
            speaks_for_known_parts=self._speaks_for_known_parts,
            is_of_phone_alone=is_of_phone_alone,
        )

    def _readings(self, in_text: str | None, in_parameter: str | None) -> tuple[str, str | None]:
        """The id in the spelling of the answer, and a second reading where it is not certain which one is meant.

        Many carriers repeat the answer's id in the parameter and write that of the text in the other spelling.
        """
        converted = self._id_as_submitted(in_parameter or in_text or "")
        if in_parameter is None or _are_one(converted, in_parameter):
            return converted, None
        if in_text is not None and _are_one(self._id_as_submitted(in_text), in_parameter):
            return in_parameter, None  # They do so here, beyond doubt.
        if in_text is not None and _are_one(in_text, in_parameter):
            return (
                converted,
                in_parameter,
            )  # Both are in the spelling of receipts, unless that is not what it is said to be.
        return in_parameter, converted


def parse_receipt_text(text: str) -> ReceiptText:
    """Reads appendix B's text in any vendor's spelling; what follows `text:` is never looked at."""
    head = _without_quoted_message(text)
    message_id, state, error, done = (pattern.search(head) for pattern in (_ID, _STATE, _ERROR, _DONE))
    return ReceiptText(
        message_id=message_id[1][:MAX_MESSAGE_ID] if message_id else None,
        word=state[1].upper() if state else None,
        error=error[1] if error and error[1].strip("0") else None,
        done_at=_date(done[1]) if done else None,
    )


def _are_one(first: str, second: str) -> bool:
    return canonical_carrier_id(first) == canonical_carrier_id(second)


def _shown(state: int) -> str:
    """A value of message_state as `receipt_states` writes it."""
    return f"0X{state:02X}"


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
