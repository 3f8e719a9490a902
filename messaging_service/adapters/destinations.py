"""The countries that messages may be sent to, judged by libphonenumber's metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException

from service_kit.settings import names

EVERYWHERE: Final = "*"
_CALLING_CODE = re.compile(r"\+[1-9][0-9]{0,2}")
_MAX_CODE_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class AllowedDestinations:
    """Countries by their ISO codes, and calling codes such as +881, which belongs to satellites and no country."""

    allowed: frozenset[str]
    """`KE`, `+881`, or `*` for everywhere."""

    def __call__(self, number: str, /) -> str | None:
        """Why no message may go to this valid number in E.164; None when one may. Implements DestinationCheck."""
        # Nearly every number is of a calling code of which all is allowed, and is not parsed for this.
        if number.startswith(_whole_codes(self.allowed)):
            return None
        destination = destination_of(number)
        if destination in self.allowed:
            return None
        return f"messages to {destination} are not allowed here, only to {', '.join(sorted(self.allowed))}"


def destination_of(number: str) -> str:
    """The country of a number in E.164, such as `KE`, or its calling code where that belongs to no single country."""
    code = _calling_code(number)
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code[1:]), ()) if code else ()
    if len(regions) == 1 and regions[0] in phonenumbers.SUPPORTED_REGIONS:
        return regions[0]
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except NumberParseException:
        region = None
    return region if region in phonenumbers.SUPPORTED_REGIONS else code or "an unknown country"


def parse_destinations(text: str) -> AllowedDestinations:
    """Parses ISO codes of countries and calling codes with commas between."""
    found = {name.upper() for name in names(text)}
    for name in sorted(found):
        known = int(name[1:]) in COUNTRY_CODE_TO_REGION_CODE if _CALLING_CODE.fullmatch(name) else False
        if name != EVERYWHERE and name not in phonenumbers.SUPPORTED_REGIONS and not known:
            raise ValueError(
                f"{name!r} is neither the ISO code of a country, such as KE, nor a calling code, such as +881, "
                f"nor {EVERYWHERE} for everywhere"
            )
    return AllowedDestinations(frozenset(found))


def _calling_code(number: str) -> str | None:
    # No calling code is the beginning of another.
    for length in range(2, 2 + _MAX_CODE_DIGITS):
        if number[1:length].isdigit() and int(number[1:length]) in COUNTRY_CODE_TO_REGION_CODE:
            return number[:length]
    return None


@lru_cache(maxsize=16)
def _whole_codes(allowed: frozenset[str]) -> tuple[str, ...]:
    """The beginnings of numbers that need no closer look: every country that shares the calling code is allowed."""
    if EVERYWHERE in allowed:
        return ("+",)
    named = [name for name in allowed if name.startswith("+")]
    shared = [f"+{code}" for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if allowed.issuperset(regions)]
    return (*named, *shared)


HOME: Final = AllowedDestinations(frozenset({"KE"}))
"""What is allowed where no setting says otherwise."""
