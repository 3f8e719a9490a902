"""How to make a text cheaper: the characters that force UCS-2 on it, and the nearest text without them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from messaging_service.shared.domain.encoding import Encoding
from messaging_service.texts import gsm7
from messaging_service.texts.gsm7_near import near
from messaging_service.texts.segmentation import Segmentation, segment


@dataclass(frozen=True, slots=True)
class UnicodeCharacter:
    """A character that GSM-7 does not have."""

    character: str
    count: int
    """How often the text has it."""
    replacement: str | None
    """What stands in for it; empty when it goes, or joins the letter before it; None when nothing does."""

    @property
    def code_point(self) -> str:
        """As in `U+2019`."""
        return f"U+{ord(self.character):04X}"

    @property
    def name(self) -> str:
        """Its name in the Unicode standard; empty when it has none there."""
        return unicodedata.name(self.character, "")


@dataclass(frozen=True, slots=True)
class Gsm7Advice:
    """Why a text goes out in UCS-2, and what could go out instead."""

    characters: tuple[UnicodeCharacter, ...]
    """Each once, in their order of appearance; at least one."""
    text: str | None
    """The nearest text that GSM-7 can carry: the same, composed, with every character replaced. None when one of
    them has no near one, or nothing would be left."""
    units: int
    """SMS units of `text`; 0 when it is None."""
    saved_units: int
    """Units less than the text takes as it is; 0 when `text` takes as many, or more."""

    def savings(self, unit_price: Decimal) -> Decimal:
        """KES that `text` would save at a price in KES for one unit."""
        return unit_price * self.saved_units


def advise(segmentation: Segmentation) -> Gsm7Advice | None:
    """Advice on a text; None when it goes out in GSM-7 as it is."""
    if segmentation.encoding is Encoding.GSM7:
        return None
    original = "".join(segmentation.segments)
    counts = Counter(character for character in original if not gsm7.is_gsm7(character))
    characters = tuple(UnicodeCharacter(character, count, near(character)) for character, count in counts.items())
    text = _nearest(original) if all(found.replacement is not None for found in characters) else None
    if not text:
        return Gsm7Advice(characters, None, 0, 0)
    units = segment(text).units
    return Gsm7Advice(characters, text, units, max(segmentation.units - units, 0))


def _nearest(text: str) -> str | None:
    # Composed first: `n` with a tilde of its own is the ñ of GSM-7, and año is another word than ano.
    pieces = [near(character) for character in unicodedata.normalize("NFC", text)]
    return None if None in pieces else "".join(filter(None, pieces))
