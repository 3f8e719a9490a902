"""Phone numbers and sender names as SMPP addresses (SMPP 3.4 sections 5.2.5 and 5.2.6).

A recipient is always an international number. A sender is one of four kinds:

- a name ("TUKUPAY"): by default alphanumeric, with an unknown numbering plan; at most 11 characters;
- 6 digits or fewer: a short code, by default network specific, because it means something only inside the
  carrier's own network;
- an international number: one with `+`, or digits that are a number of some country; sent without its `+`;
- any other number, for instance "0722000000" or "722000000": by default national. Told as international it
  would be shown as a number of another country or of none.

Carriers differ in the types and plans that they want to see, so each kind has its own in the settings.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.shared.numbering.phone_number_rules import phone_number_problem

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
        plus, digits = number.groups()
        if len(digits) <= settings.short_code_digits:
            return Address(settings.sender_short_code_ton, settings.sender_short_code_npi, digits)
        if _is_international(digits, has_plus=bool(plus)):
            return Address(settings.sender_number_ton, settings.sender_number_npi, digits)
        return Address(settings.sender_national_ton, settings.sender_national_npi, digits)
    if _NAME.fullmatch(sender_id):
        return Address(settings.sender_name_ton, settings.sender_name_npi, sender_id)
    return None


@lru_cache(maxsize=1_000)
def _is_international(digits: str, *, has_plus: bool) -> bool:
    """Whether a sender of digits begins with a country code; with a `+` only a 0 in front can say that it does not."""
    if digits.startswith("0"):
        return False
    return has_plus or _valid("+" + digits) is not None


def phone_in(ton: int, digits: str, country_code: str = "") -> str | None:
    """The E.164 number, with `+`, that an address of a carrier names; None when it names none, or not for certain.

    The digits come from the network and the type of number from somebody's configuration, so every reading that the
    digits allow is tried, and the one that a numbering plan has is taken; the type decides only between two such.
    `country_code` is what national numbers lack; empty leaves them uncertain.
    """
    bare = digits.removeprefix("+")
    if not (bare.isascii() and bare.isdigit()):
        return None
    international = _valid("+" + bare.removeprefix("00"))
    is_long = len(bare) >= _CERTAINLY_INTERNATIONAL_DIGITS
    says_so = ton == TON_INTERNATIONAL or bare != digits or bare.startswith("00")
    if international and (says_so or (is_long and (ton != TON_NATIONAL or not country_code))):
        return international
    if not country_code:
        return None
    national = _valid(f"+{country_code}{bare.removeprefix('0')}") or _valid(f"+{country_code}{bare}")
    return national or international


def _valid(number: str) -> str | None:
    return number if phone_number_problem(number) is None else None
