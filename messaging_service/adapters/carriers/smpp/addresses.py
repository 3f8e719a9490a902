"""Phone numbers and sender names as SMPP addresses (SMPP 3.4 sections 5.2.5 and 5.2.6).

A recipient is always an international number. A sender is one of three kinds:

- a name ("TUKUPAY"): alphanumeric, with an unknown numbering plan, at most 11 characters;
- a number with `+` or of more than 6 digits: international, sent without its `+`;
- 6 digits or fewer: a short code, marked network specific, because it means something only inside the
  carrier's own network.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

TON_UNKNOWN: Final = 0
TON_INTERNATIONAL: Final = 1
TON_NETWORK_SPECIFIC: Final = 3
TON_ALPHANUMERIC: Final = 5
NPI_UNKNOWN: Final = 0
NPI_ISDN: Final = 1

MAX_SHORT_CODE_DIGITS: Final = 6
MAX_NAME_LENGTH: Final = 11
_CERTAINLY_INTERNATIONAL_DIGITS: Final = 12
"""No national number of a market served here is that long, so a number of an unknown type with as many
digits starts with a country code."""

_RECIPIENT = re.compile(r"\+([1-9][0-9]{6,14})")
_NUMBER = re.compile(r"(\+?)([0-9]{1,15})")
_NAME = re.compile(rf"[\x20-\x7e]{{1,{MAX_NAME_LENGTH}}}")


class Address(NamedTuple):
    """An address with its type of number and numbering plan."""

    ton: int
    npi: int
    digits: str


def recipient_address(recipient: str) -> str | None:
    """The digits to send, always with TON 1 and NPI 1; None when it is no E.164 number with `+`."""
    match = _RECIPIENT.fullmatch(recipient)
    return match[1] if match else None


def sender_address(sender_id: str) -> Address | None:
    """The sender as an address; None when no SMPP address can hold it."""
    number = _NUMBER.fullmatch(sender_id)
    if number:
        if number[1] or len(number[2]) > MAX_SHORT_CODE_DIGITS:
            return Address(TON_INTERNATIONAL, NPI_ISDN, number[2])
        return Address(TON_NETWORK_SPECIFIC, NPI_UNKNOWN, number[2])
    if _NAME.fullmatch(sender_id):
        return Address(TON_ALPHANUMERIC, NPI_UNKNOWN, sender_id)
    return None


def phone_in(ton: int, digits: str) -> str | None:
    """The E.164 number, with `+`, that an address of a carrier names; None when that is not certain."""
    bare = digits.removeprefix("+")
    if not (bare.isascii() and bare.isdigit()):
        return None
    if ton == TON_INTERNATIONAL or bare is not digits:
        return "+" + bare
    if bare.startswith("00"):
        return "+" + bare[2:]
    if ton == TON_UNKNOWN and len(bare) >= _CERTAINLY_INTERNATIONAL_DIGITS and not bare.startswith("0"):
        return "+" + bare
    return None
