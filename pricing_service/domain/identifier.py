"""What an identifier given by a caller may look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Final

from service_kit.errors import Violation

MAX_IDENTIFIER: Final = 64
"""Characters of a customer, an app or a person who sets prices."""


def read_identifier(field: str, value: str, violations: list[Violation]) -> str:
    """Gives the value back; appends a violation unless it has 1 to 64 printable characters."""
    if not value.strip():
        violations.append(Violation(field, "REQUIRED", f"is required: 1 to {MAX_IDENTIFIER} characters"))
    elif len(value) > MAX_IDENTIFIER:
        problem = f"has {len(value)} characters; at most {MAX_IDENTIFIER} are allowed"
        violations.append(Violation(field, "TOO_LONG", problem))
    elif has_control_character(value):
        problem = "has a control character; use letters, digits and punctuation"
        violations.append(Violation(field, "MALFORMED", problem))
    return value


def read_new_identifier(field: str, value: str, violations: list[Violation]) -> str:
    """As `read_identifier`, for what is put on record: also refuses what looks like another identifier.

    A price of `cust1 ` would never apply to `cust1`, and no list would show why.
    """
    before = len(violations)
    read_identifier(field, value, violations)
    if len(violations) > before:
        return value
    if value != value.strip():
        violations.append(Violation(field, "MALFORMED", "begins or ends with a space; leave it out"))
    elif not value.isprintable():
        problem = "has a character that cannot be seen; use letters, digits, spaces and punctuation"
        violations.append(Violation(field, "MALFORMED", problem))
    return value


def has_control_character(value: str, but: Collection[str] = ()) -> bool:
    """Whether the value has a control character other than those in `but`; no database stores NUL."""
    return any(unicodedata.category(character) == "Cc" and character not in but for character in value)
