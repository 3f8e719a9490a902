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
    code, country = _calling_code(number[: 1 + _MAX_CODE_DIGITS])
    if country is not None:
        return country
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


@lru_cache(maxsize=1_024)
def allowed_destinations(names_of_them: tuple[str, ...]) -> AllowedDestinations:
    """The check of a list that was parsed before."""
    return AllowedDestinations(frozenset(names_of_them))


@lru_cache(maxsize=1_024)
def _calling_code(beginning: str) -> tuple[str | None, str | None]:
    """The calling code that a number begins with, and the country that has it for itself."""
    # No calling code is the beginning of another.
    for length in range(2, 1 + len(beginning)):
        digits = beginning[1:length]
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits), ()) if digits.isdecimal() else ()
        if regions:
            is_alone = len(regions) == 1 and regions[0] in phonenumbers.SUPPORTED_REGIONS
            return beginning[:length], regions[0] if is_alone else None
    return None, None


@lru_cache(maxsize=1_024)
def _whole_codes(allowed: frozenset[str]) -> tuple[str, ...]:
    """The beginnings of numbers that need no closer look: every country that shares the calling code is allowed."""
    if EVERYWHERE in allowed:
        return ("+",)
    named = [name for name in allowed if name.startswith("+")]
    shared = [f"+{code}" for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if allowed.issuperset(regions)]
    return (*named, *shared)


HOME: Final = AllowedDestinations(frozenset({"KE"}))
"""What is allowed where no setting says otherwise."""
