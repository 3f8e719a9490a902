"""Phone numbers judged by libphonenumber's metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata, PhoneNumber

from messaging_service.shared.phone_numbers import masked

MAX_DIGITS: Final = 15
"""Digits of the longest E.164 number, country code included (ITU-T E.164 section 6)."""

_MAX_COUNTRY_CODE_DIGITS: Final = 3
_INTERNATIONAL = re.compile(r"\+[0-9]+")
_DIGITS = re.compile(r"[0-9]+")
_RULE: Final = "write + and then country code and number, only digits and no spaces, as in +2547XXXXXXXX"


@dataclass(frozen=True, slots=True)
class _CountryCode:
    digits: str
    rewritten: re.Pattern[str] | None
    """Beginnings of a national number that the library strips or replaces as it reads a number."""


def phone_number_problem(number: str, /) -> str | None:
    """Say what is wrong with a recipient's number; None when it is fine (see `PhoneNumberCheck`).

    The first number of a country loads the country's metadata, which takes about a millisecond.
    """
    if not _INTERNATIONAL.fullmatch(number):
        if _DIGITS.fullmatch(number):
            return f"{masked(number)} has no leading +: {_RULE}"
        return f"the phone number is not in international format: {_RULE}"
    digits = len(number) - 1
    if digits > MAX_DIGITS:
        return f"{masked(number)} has {digits} digits, more than the {MAX_DIGITS} of E.164: {_RULE}"
    country = _country_code_of(number)
    if country is None:
        return f"{masked(number)} begins with no known country code: {_RULE}"
    if _is_valid(number, country):
        return None
    return (
        f"{masked(number)} is no number of country code {country.digits}: check its digits and their count, "
        "and leave out a trunk prefix such as 0 after the country code"
    )


def _country_code_of(number: str) -> _CountryCode | None:
    # No country code is the beginning of another, so the first hit is the only one.
    for length in range(1, _MAX_COUNTRY_CODE_DIGITS + 1):
        country = _country_code(number[1 : 1 + length])
        if country is not None:
            return country
    return None


@cache  # at most 1,110 keys: one to three digits
def _country_code(digits: str) -> _CountryCode | None:
    if digits.startswith("0") or not digits:
        return None
    code = int(digits)
    if code not in COUNTRY_CODE_TO_REGION_CODE:
        return None
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, phonenumbers.region_code_for_country_code(code))
    prefix = metadata.national_prefix_for_parsing if metadata is not None else None
    return _CountryCode(digits, re.compile(prefix) if prefix else None)


def _is_valid(number: str, country: _CountryCode) -> bool:
    """Judge as the library does for a number that it parsed, but parse only where that can matter.

    Parsing costs three times as much as judging, and of a number in E.164 it changes only what follows
    the country code: a trunk or carrier prefix goes, and leading zeros are kept apart. A national
    number that begins with neither is what the parser would make of it.

    No answer is kept: most recipients of a one-time code are new, and customers' numbers would stay in
    memory.
    """
    national = number[1 + len(country.digits) :]
    if not national:
        return False
    if national.startswith("0") or (country.rewritten is not None and country.rewritten.match(national)):
        return _is_valid_when_parsed(number)
    return phonenumbers.is_valid_number(PhoneNumber(country_code=int(country.digits), national_number=int(national)))


def _is_valid_when_parsed(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return False
    if not phonenumbers.is_valid_number(parsed):
        return False
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number
