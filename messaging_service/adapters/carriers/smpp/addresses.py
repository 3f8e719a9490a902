"""Phone numbers and sender names as SMPP addresses (SMPP 3.4 sections 5.2.5 and 5.2.6).

A recipient is always an international number. A sender is one of three kinds:

- a name ("TUKUPAY"): by default alphanumeric, with an unknown numbering plan; at most 11 characters;
- a number with `+` or of more than 6 digits: by default international; sent without its `+`;
- 6 digits or fewer: a short code, by default network specific, because it means something only inside the
  carrier's own network.

Carriers differ in the types and plans that they want to see, so each kind has its own in the settings.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from messaging_service.adapters.carriers.smpp.settings import SmppSettings

TON_UNKNOWN: Final = 0
TON_INTERNATIONAL: Final = 1
TON_NATIONAL: Final = 2

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


def recipient_address(recipient: str, settings: SmppSettings) -> Address | None:
    """The phone as an address; None when it is no E.164 number with `+`."""
    match = _RECIPIENT.fullmatch(recipient)
    return Address(settings.recipient_ton, settings.recipient_npi, match[1]) if match else None


def sender_address(sender_id: str, settings: SmppSettings) -> Address | None:
    """The sender as an address; None when no SMPP address can hold it."""
    number = _NUMBER.fullmatch(sender_id)
    if number:
        if number[1] or len(number[2]) > settings.short_code_digits:
            return Address(settings.sender_number_ton, settings.sender_number_npi, number[2])
        return Address(settings.sender_short_code_ton, settings.sender_short_code_npi, number[2])
    if _NAME.fullmatch(sender_id):
        return Address(settings.sender_name_ton, settings.sender_name_npi, sender_id)
    return None


def phone_in(ton: int, digits: str, country_code: str = "") -> str | None:
    """The E.164 number, with `+`, that an address of a carrier names; None when that is not certain.

    `country_code` makes national numbers certain; empty leaves them uncertain.
    """
    bare = digits.removeprefix("+")
    if not (bare.isascii() and bare.isdigit()):
        return None
    if ton == TON_INTERNATIONAL or bare is not digits:
        return "+" + bare
    if bare.startswith("00"):
        return "+" + bare[2:]
    is_national = ton == TON_NATIONAL or (ton == TON_UNKNOWN and bare.startswith("0"))
    if is_national and country_code:
        return f"+{country_code}{bare.removeprefix('0')}"
    if ton == TON_UNKNOWN and len(bare) >= _CERTAINLY_INTERNATIONAL_DIGITS and not bare.startswith("0"):
        return "+" + bare
    return None
