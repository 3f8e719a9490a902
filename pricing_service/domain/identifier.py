"""What an identifier given by a caller may look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from pricing_service.domain import reasons
from service_kit.errors import Violation
from service_kit.identifiers import MAX_IDENTIFIER, identifier_fault


def read_identifier(field: str, value: str, violations: list[Violation]) -> str:
    """Gives the value back; appends a violation unless it has 1 to 64 characters, none of them a control character.

    For what is looked up: rows from before the present rule can be found by their old spelling.
    """
    if not value.strip():
        violations.append(Violation(field, reasons.REQUIRED, f"is empty; give 1 to {MAX_IDENTIFIER} characters"))
    elif len(value) > MAX_IDENTIFIER:
        problem = f"has {len(value)} characters; at most {MAX_IDENTIFIER} are allowed"
        violations.append(Violation(field, reasons.TOO_LONG, problem))
    elif has_control_character(value):
        problem = "has a control character; use letters, digits and punctuation"
        violations.append(Violation(field, reasons.MALFORMED, problem))
    return value


def read_new_identifier(field: str, value: str, violations: list[Violation]) -> str:
    """Gives the value back; appends a violation unless it keeps the rule for what is put on record.

    A price of `cust1 ` would never apply to `cust1`, and no list would show why.
    """
    if fault := identifier_fault(value):
        violations.append(Violation(field, fault.reason, fault.problem))
    return value


def has_control_character(value: str, but: Collection[str] = ()) -> bool:
    """Whether the value has a control character other than those in `but`; no database stores NUL."""
    return any(unicodedata.category(character) == "Cc" and character not in but for character in value)
