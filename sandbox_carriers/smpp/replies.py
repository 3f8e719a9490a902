"""Messages that phones write, on their way to the client that they are for."""

from __future__ import annotations

from typing import Final, NamedTuple

import smpp34

from messaging_service.shared.domain.encoding import Encoding
from messaging_service.shared.domain.sender_id import is_alphanumeric
from messaging_service.texts import gsm7
from messaging_service.texts.segmentation import segment

_TON_INTERNATIONAL: Final = 1
_TON_NAME: Final = 5
_NPI_TELEPHONE: Final = 1
_DATA_CODING_DEFAULT: Final = 0
_DATA_CODING_UCS2: Final = 8


class Reply(NamedTuple):
    """One message of a phone, complete but for its sequence number. Goes by the road of receipts."""

    system_id: str
    """The client that it is for."""
    phone: str
    """Who writes: digits, without `+`."""
    to: str
    """The sender id that they write to."""
    text: str

    @property
    def is_receipt(self) -> bool:
        """Whether it counts as a receipt."""
        return False

    def encode(self, sequence: int, now_s: float) -> bytes:
        """The deliver_sm."""
        cut = segment(self.text)
        in_gsm7 = cut.encoding is Encoding.GSM7
        return smpp34.DeliverSm(
            self.phone,
            self.to,
            gsm7.encode_unpacked(self.text) if in_gsm7 else self.text.encode("utf-16-be"),
            source_addr_ton=_TON_INTERNATIONAL,
            source_addr_npi=_NPI_TELEPHONE,
            dest_addr_ton=_TON_NAME if is_alphanumeric(self.to) else _TON_INTERNATIONAL,
            dest_addr_npi=0 if is_alphanumeric(self.to) else _NPI_TELEPHONE,
            data_coding=_DATA_CODING_DEFAULT if in_gsm7 else _DATA_CODING_UCS2,
            sequence_number=sequence,
        ).encode()

    def was_sent(self) -> None:
        """The link has it."""

    def was_acknowledged(self) -> None:
        """The client has it."""


def reply_problem(phone: str, to: str, text: str) -> str | None:
    """What keeps a phone from writing that; None when nothing does."""
    if not (phone.isascii() and phone.isdigit() and 7 <= len(phone) <= 15):
        return "the phone is not a number of 7 to 15 digits; write it like +254712345678"
    if not to:
        return "nobody wrote to this phone yet; say in `to` which sender id it writes to"
    try:
        units = segment(text).units if text else 0
    except ValueError as error:
        return f"the text {error}"
    if units != 1:
        return "the text is empty; write something" if not units else "the text is longer than one SMS; shorten it"
    return None
