"""How a text travels."""

from __future__ import annotations

from enum import StrEnum


class Encoding(StrEnum):
    """The two ways in which a text travels."""

    GSM7 = "gsm7"
    """Every character is in the GSM 7-bit default alphabet or its extension."""
    UCS2 = "ucs2"
    """At least one is not, and so all of the text travels as UTF-16."""
