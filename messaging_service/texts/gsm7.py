"""The GSM 7-bit default alphabet (3GPP TS 23.038 section 6.2.1) and its extension table.

Only the default alphabet: no national locking or single shift tables, because carriers do not agree on
them and phones that lack one show other letters than those that were sent.
"""

from __future__ import annotations

import re
from typing import Final

ESCAPE: Final = "\x1b"
"""Code 0x1B announces a code of the extension table. It is no character of its own: a text with U+001B
in it is not GSM-7."""

BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"  # 0x00
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"  # 0x10, where 0x1B is the escape
    " !\"#¤%&'()*+,-./"  # 0x20
    "0123456789:;<=>?"  # 0x30
    "¡ABCDEFGHIJKLMNO"  # 0x40
    "PQRSTUVWXYZÄÖÑÜ§"  # 0x50
    "¿abcdefghijklmno"  # 0x60
    "pqrstuvwxyzäöñüà"  # 0x70
)
"""The character of each code 0x00 to 0x7F."""

EXTENSION: Final[dict[str, int]] = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
"""The characters that cost two septets, with their code after the escape."""

_EXTENDED_CLASS = re.escape("".join(EXTENSION))
_ALL_GSM7 = re.compile(f"[{re.escape(BASIC.replace(ESCAPE, ''))}{_EXTENDED_CLASS}]*")
_EXTENDED = re.compile(f"[{_EXTENDED_CLASS}]")

_CODES = {character: bytes((code,)) for code, character in enumerate(BASIC) if character != ESCAPE} | {
    character: bytes((ord(ESCAPE), code)) for character, code in EXTENSION.items()
}
_ESCAPED_CHARACTERS = {code: character for character, code in EXTENSION.items()}


def is_gsm7(text: str) -> bool:
    """Tell whether the alphabet and its extension hold every character of the text."""
    return _ALL_GSM7.fullmatch(text) is not None


def with_escapes(text: str) -> str:
    """Put an escape before each extension character, so that one character is one septet.

    Expects a text for which `is_gsm7` holds.
    """
    # Most texts have no extension character. For those that do, ten passes of str.replace take a tenth
    # of the time of re.sub with a template when they are many, and no more when they are few.
    if _EXTENDED.search(text):
        for character in EXTENSION:
            text = text.replace(character, ESCAPE + character)
    return text


def septets(text: str) -> int:
    """Count the septets of the text, two for an extension character.

    Raises ValueError when a character is not in the alphabet.
    """
    if not is_gsm7(text):
        raise ValueError("the text has a character outside the GSM 7-bit default alphabet")
    return len(with_escapes(text))


def encode_unpacked(segment: str) -> bytes:
    """Write one octet per septet, as SMPP carries the default alphabet (data_coding 0).

    An extension character becomes 0x1B and its code.

    Raises ValueError when a character is not in the alphabet.
    """
    try:
        return b"".join([_CODES[character] for character in segment])
    except KeyError:
        # The cause would print the character, which is message text.
        raise ValueError("the text has a character outside the GSM 7-bit default alphabet") from None


def decode_unpacked(octets: bytes) -> str:
    """Read one octet per septet, as a phone shows it.

    Follows the standard's rule for receivers: an escape with a code that the extension table lacks
    shows the character of the basic table, and an escape that nothing follows, or that another escape
    follows, shows a space.

    Raises ValueError when an octet is above 0x7F.
    """
    characters: list[str] = []
    escaped = False
    for octet in octets:
        if octet >= len(BASIC):
            raise ValueError(f"octet 0x{octet:02X} is no septet")
        character = BASIC[octet]
        if escaped:
            escaped = False
            characters.append(
                " " if character == ESCAPE else _ESCAPED_CHARACTERS.get(octet, character),
            )
        elif character == ESCAPE:
            escaped = True
        else:
            characters.append(character)
    if escaped:
        characters.append(" ")
    return "".join(characters)
