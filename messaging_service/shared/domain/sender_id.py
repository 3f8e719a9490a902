"""What a carrier can show as the sender of an SMS."""

from __future__ import annotations

import re
from typing import Final

MAX_ALPHANUMERIC: Final = 11
"""Characters of a name: what the originating address of an SMS holds (3GPP TS 23.040 section 9.1.2.5)."""
MIN_DIGITS: Final = 3
"""Digits of the shortest short code."""
MIN_INTERNATIONAL_DIGITS: Final = 7
"""Digits of the shortest international number, country code included; what is shorter is a short code."""
MAX_DIGITS: Final = 15
"""Digits of the longest E.164 number."""

_NUMBER = re.compile(r"\+?[0-9]+")
_NAME = re.compile(r"[A-Za-z0-9 _.&'-]+")
_LETTER = re.compile(r"[A-Za-z]")

_RULE: Final = (
    f"use a name of 1 to {MAX_ALPHANUMERIC} letters, digits, inner spaces or -_.&' with at least one letter, "
    f"or a number of {MIN_DIGITS} to {MAX_DIGITS} digits; a leading + is for international numbers alone, "
    f"of {MIN_INTERNATIONAL_DIGITS} digits or more, and no 0 follows it"
)


def is_alphanumeric(sender_id: str) -> bool:
    """Tell whether the sender is a name (in SMPP: TON 5, NPI 0) and not a number or short code."""
    return _LETTER.search(sender_id) is not None


def sender_id_problem(value: str) -> str | None:
    """Say what is wrong with a sender id and what would be right; None when it is fine.

    Only ASCII counts as letters and digits: the address of an SMS has no other alphabet that all
    carriers take. The value itself is not repeated.
    """
    fault = _fault_of_number(value) if _NUMBER.fullmatch(value) else _fault_of_name(value)
    return None if fault is None else f"the sender id {fault}: {_RULE}"


def _fault_of_number(value: str) -> str | None:
    number = value.removeprefix("+")
    if not MIN_DIGITS <= len(number) <= MAX_DIGITS:
        return f"is a number of {len(number)} digits"
    if number == value:
        return None
    if number.startswith("0"):
        return "begins with +0, as no international number does"
    if len(number) < MIN_INTERNATIONAL_DIGITS:
        return f"is a short code of {len(number)} digits with a +"
    return None


def _fault_of_name(value: str) -> str | None:
    if not value:
        return "is empty"
    if not _NAME.fullmatch(value):
        return "has a character that not every phone shows"
    if not is_alphanumeric(value):
        return "has no letter and is no number"
    if value != value.strip():
        # A phone shows it like the sender without them, whom its owner may have asked to stop.
        return "begins or ends with a space"
    if len(value) > MAX_ALPHANUMERIC:
        return f"has {len(value)} characters"
    return None
