"""Phone numbers as callers may see them: whole, or with their middle hidden."""

from __future__ import annotations

from typing import Final

from service_kit.access.principal import Principal
from service_kit.access.scopes import PII_READ

HIDDEN: Final = "•"
_AT_START: Final = 5
_AT_END: Final = 3
_ERASED: Final = "#"


def shown_number(number: str, viewer: Principal) -> str:
    """The number for a caller with the scope `pii:read`; else the same with its middle hidden.

    `+254712345678` becomes `+2547•••••678`. Of a short number at least 3 characters, or half of it, stay hidden. A
    phone that was erased is empty for everybody: what stands in its place is for comparing.
    """
    if number.startswith(_ERASED):
        return ""
    if viewer.may(PII_READ):
        return number
    hidden = max(len(number) - _AT_START - _AT_END, min(3, (len(number) + 1) // 2))
    at_start = min(_AT_START, len(number) - hidden)
    return number[:at_start] + HIDDEN * hidden + number[at_start + hidden :]
