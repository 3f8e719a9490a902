"""Recipients' numbers as written in one country, turned into E.164."""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

# Digits and the separators of people and phone books. Anything else, such as `2.547E+11`, cannot be corrected.
_WRITTEN = re.compile("[+＋]?[0-9\\s().\u2010-\u2015/\\-]+")
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Invisible marks that phone books put around numbers."""
_PLAIN = re.compile(r"\+[0-9]+")


def parse_country(text: str) -> str:
    """The ISO code of a country; raises ValueError."""
    country = text.upper()
    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{text!r} is not the ISO code of a country, such as KE")
    return country


def in_e164(number: str, country: str) -> str:
    """The number in E.164 when it is one of the country written in another way; otherwise unchanged.

    For KE, `0712 345 678`, `712345678`, `254712345678`, `00254712345678` and `+254 712 345678` are `+254712345678`.
    """
    dialled = _DIRECTIONS.sub("", number)
    if _PLAIN.fullmatch(number) or not _WRITTEN.fullmatch(dialled):
        return number
    # Many write 00 for +, whatever the prefix of their country is.
    abroad = f"00{phonenumbers.country_code_for_region(country)}"
    if dialled.startswith(abroad):
        dialled = f"+{dialled[2:]}"
    try:
        parsed = phonenumbers.parse(dialled, country)
    except NumberParseException:
        return number
    if not phonenumbers.is_valid_number(parsed):
        return number
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
