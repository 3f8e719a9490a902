"""How a text is cut into the parts that are charged and put on the wire.

One cut serves both: what an account pays for is what a carrier gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from messaging_service.shared.domain.encoding import Encoding
from messaging_service.texts import gsm7

GSM7_SINGLE: Final = 160
"""Septets that fit when the text is one part."""
GSM7_PART: Final = 153
"""Septets of each of several parts: the concatenation header takes the room of seven."""
UCS2_SINGLE: Final = 70
"""UTF-16 code units that fit when the text is one part."""
UCS2_PART: Final = 67
"""UTF-16 code units of each of several parts."""

_UNIT_BYTES: Final = 2
_HIGH_SURROGATES: Final = range(0xD8, 0xDC)


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A text, cut. Joining the segments gives the text back."""

    encoding: Encoding
    segments: tuple[str, ...]
    """The parts in order, at least one, none of them empty."""

    @property
    def units(self) -> int:
        """How many SMS the text costs: one for each part."""
        return len(self.segments)


def segment(text: str) -> Segmentation:
    """Cut a text into as few parts as it can travel in, each as full as it gets.

    Neither an escape pair (GSM-7) nor a surrogate pair (UCS-2) is split, so a part can be one short.
    What a reader sees as one character but is several code points, such as a flag, can be split; so can
    CRLF, which counts as two. There is no upper limit here; the time taken is linear in the length.

    Raises ValueError for an empty text, and for one that holds a surrogate code point: it stands for no
    character, and no phone could show it.
    """
    if not text:
        raise ValueError("an empty text has no segments")
    if gsm7.is_gsm7(text):
        return Segmentation(Encoding.GSM7, _cut_gsm7(text))
    return Segmentation(Encoding.UCS2, _cut_ucs2(text))


def _cut_gsm7(text: str) -> tuple[str, ...]:
    septets = gsm7.with_escapes(text)
    if len(septets) <= GSM7_SINGLE:
        return (text,)
    parts: list[str] = []
    start = 0
    while start < len(septets):
        end = start + GSM7_PART
        if septets[end - 1 : end] == gsm7.ESCAPE:
            end -= 1
        parts.append(septets[start:end].replace(gsm7.ESCAPE, ""))
        start = end
    return tuple(parts)


def _cut_ucs2(text: str) -> tuple[str, ...]:
    try:
        octets = text.encode("utf-16-be")
    except UnicodeEncodeError:
        # The cause carries the whole text, which must not get into a log.
        raise ValueError("the text holds a surrogate code point, which stands for no character") from None
    if len(octets) <= UCS2_SINGLE * _UNIT_BYTES:
        return (text,)
    parts: list[str] = []
    start = 0
    while start < len(octets):
        end = start + UCS2_PART * _UNIT_BYTES
        if end < len(octets) and octets[end - _UNIT_BYTES] in _HIGH_SURROGATES:
            end -= _UNIT_BYTES
        parts.append(octets[start:end].decode("utf-16-be"))
        start = end
    return tuple(parts)
