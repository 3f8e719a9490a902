"""The one rule for identifiers that callers choose: customers and accounts, apps, message ids, tags.

Prices are found by a customer's id in one service and charged by it in another, so both take the rule from here:
`shop ` and `shop` must never become two customers in one of them and one in the other.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

MAX_IDENTIFIER: Final = 64
"""Characters of an account, a customer, an app or a person, in both services."""


@dataclass(frozen=True, slots=True)
class IdentifierFault:
    """Why a text is no identifier."""

    reason: str
    """REQUIRED, TOO_LONG or MALFORMED."""
    problem: str
    """What is wrong and what would be right."""


def identifier_fault(value: str, limit: int = MAX_IDENTIFIER) -> IdentifierFault | None:
    """What keeps a text from being put on record as an identifier; None when nothing does.

    An identifier has 1 to `limit` printable characters, no space at either end, and is in the normal form NFC, so
    that no two of them look the same. Capital and small letters differ, as they always did. What is on record from
    before the rule can still be looked up by its old spelling.
    """
    if not value.strip():
        return IdentifierFault("REQUIRED", f"is empty; give 1 to {limit} characters")
    if len(value) > limit:
        return IdentifierFault("TOO_LONG", f"has {len(value)} characters; at most {limit} are allowed")
    # Every message has some of them, and nearly all are fine.
    if value.isprintable() and value == value.strip() and unicodedata.is_normalized("NFC", value):
        return None
    return IdentifierFault("MALFORMED", _form_problem(value))


def _form_problem(value: str) -> str:
    """In words, for a value that has one."""
    if any(unicodedata.category(character) == "Cc" for character in value):
        return "has a control character; use letters, digits and punctuation"
    if value != value.strip():
        return "begins or ends with a space; leave it out"
    if not value.isprintable():
        return "has a character that cannot be printed; use letters, digits, spaces and punctuation"
    return "is not in Unicode's normal form NFC, so it would look like another one; normalise it to NFC"


def identifier_problem(value: str, limit: int = MAX_IDENTIFIER) -> str | None:
    """`identifier_fault` in words alone."""
    fault = identifier_fault(value, limit)
    return None if fault is None else fault.problem
