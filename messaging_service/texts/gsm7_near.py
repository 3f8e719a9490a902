"""What GSM-7 has that comes nearest to a character that it lacks.

A near character reads the same to a person, so that nothing of the sense is lost: `’` is `'`, `ș` is `s`,
`₦` is `NGN`. Where that is not so there is none: an emoji, a letter of another script, `½` (`1½` would read
`11/2`), `≠` without its stroke.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from messaging_service.texts import gsm7

_SIGNS: Final = {
    "'": "‘’‚‛′‵`´ʹʻʼʽˈ❛❜",
    '"': "“”„‟″‶«»〝〞❝❞ʺ",
    "<": "‹〈",
    ">": "›〉",
    "-": "‐‑‒–—―−⁃",
    "*": "•‣◦▪●∙",
    ".": "·",
    "/": "⁄∕÷",
    "|": "¦",
    "x": "×",
    "+/-": "±",
    "<=": "≤",
    ">=": "≥",
    "!=": "≠",
    "->": "→",
    "<-": "←",
    "=>": "⇒",
    "deg": "°",
    "(c)": "©",
    "(R)": "®",
    "(TM)": "™",
    "2": "²",
    "3": "³",
}
_SPACES: Final = {" ": "\t", "\n": "\v\x85\u2028\u2029"}
"""Other spaces are found by their category."""
_INVISIBLE: Final = [
    *map(chr, [0x00AD, 0x034F, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F)]),
    *map(chr, [*range(0x2060, 0x2065), *range(0x2066, 0x206A), *range(0xFE00, 0xFE10), 0xFEFF]),
]
"""Marks of breaking, joining, direction and appearance, which a plain text does without."""
_LETTERS: Final = {
    # Letters that Unicode does not take apart: strokes and hooks, and those of several African languages.
    "B": "Ɓ",
    "C": "Ƈ",
    "D": "ÐĐƉƊ",
    "E": "ƎƏƐ",
    "G": "ƓǤƔ",
    "H": "Ħ",
    "I": "ƗƖ",
    "K": "Ƙ",
    "L": "Ł",
    "N": "Ɲ",
    "O": "ƆƟ",
    "P": "Ƥ",
    "T": "ŦƬƮ",
    "U": "Ʊ",
    "V": "Ʋ",
    "Y": "Ƴ",
    "Z": "Ƶ",
    "b": "ɓ",
    "c": "ƈ",
    "d": "đðɖɗ",
    "e": "əɛǝ",
    "g": "ɠǥɣ",
    "h": "ħɦ",
    "i": "ıɨɩ",
    "j": "ȷ",
    "k": "ƙĸ",
    "l": "ł",
    "n": "ɲ",
    "o": "ɔɵ",
    "p": "ƥ",
    "t": "ŧƭʈ",
    "u": "ʊ",
    "v": "ʋ",
    "y": "ƴ",
    "z": "ƶ",
    "f": "ƒ",
    "ng": "ŋ",
    "Ng": "Ŋ",
    "oe": "œ",
    "OE": "Œ",
    "SS": "ẞ",
    "th": "þ",
    "Th": "Þ",
}
_CURRENCIES: Final = {
    # ISO 4217, as a letter alone could stand for several: money must not be misread.
    "AZN": "₼",
    "BTC": "₿",
    "c": "¢",
    "CRC": "₡",
    "GEL": "₾",
    "GHS": "₵",
    "ILS": "₪",
    "INR": "₹",
    "KRW": "₩",
    "KZT": "₸",
    "LAK": "₭",
    "MNT": "₮",
    "NGN": "₦",
    "PHP": "₱",
    "PYG": "₲",
    "RUB": "₽",
    "THB": "฿",
    "TRY": "₺",
    "UAH": "₴",
    "VND": "₫",
    "£": "₤",
}
_TABLE: Final = {
    character: near
    for table in (_SIGNS, _SPACES, _LETTERS, _CURRENCIES)
    for near, characters in table.items()
    for character in characters
} | dict.fromkeys(_INVISIBLE, "")

_UNSAFE_FORMS: Final = ("<fraction>", "<circle>", "<super>")
"""Compatibility forms whose plain form reads otherwise: `1½`, `1①`, `10⁶`. Raised letters are an exception."""
_STROKES: Final = range(0x0334, 0x0339)
"""Combining strokes: they negate a sign or cross a text out."""


@lru_cache(maxsize=4_096)
def near(character: str) -> str | None:
    """The GSM-7 text nearest to one character: empty when it can go without loss, None when there is none.

    A character that GSM-7 has is its own.
    """
    if gsm7.is_gsm7(character):
        return character
    if (known := _TABLE.get(character)) is not None:
        return known
    if unicodedata.category(character) == "Zs":
        return " "
    if unicodedata.combining(character) or unicodedata.category(character) == "Me":
        # Over a letter it is an accent or tone, and without it the word can be read.
        return None if ord(character) in _STROKES or not _is_common_mark(character) else ""
    form = unicodedata.decomposition(character)
    if not form or (form.startswith(_UNSAFE_FORMS) and not character.isalpha() and character not in "ªº"):
        return None
    return _of_parts(unicodedata.normalize("NFKD", character))


def _is_common_mark(character: str) -> bool:
    """Whether it is an accent of Latin letters, or the box around a keycap; vowel signs of other scripts are not."""
    return "\u0300" <= character <= "\u036f" or character == "\u20e3"


def _of_parts(parts: str) -> str | None:
    """What comes nearest to a character that was taken apart into letters, each before its marks."""
    text = ""
    at = 0
    while at < len(parts):
        end = at + 1
        while end < len(parts) and unicodedata.combining(parts[end]):
            end += 1
        piece = _with_marks(parts[at], parts[at + 1 : end])
        if piece is None:
            return None
        text += piece
        at = end
    return text


def _with_marks(base: str, marks: str) -> str | None:
    """The letter with as many of its first marks as GSM-7 has it with: `ǟ` is `ä`."""
    if marks and not base.isalpha():
        return None
    for count in range(len(marks), 0, -1):
        composed = unicodedata.normalize("NFC", base + marks[:count])
        if gsm7.is_gsm7(composed):
            return composed
    return near(base)
