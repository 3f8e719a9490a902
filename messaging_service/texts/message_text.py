"""What the text of a message must fulfil."""

from __future__ import annotations

from messaging_service.shared.domain import reasons
from messaging_service.texts.segmentation import Segmentation, segment
from service_kit.errors import Violation

MAX_TEXT_CHARACTERS = 5_000
"""Above any message of 20 units; keeps the segmenter from being fed megabytes."""


def cut(text: str, max_units: int) -> tuple[Segmentation | None, Violation | None]:
    """The segments of a text, or what is wrong with it."""
    if not text:
        return None, Violation("message", reasons.EMPTY_MESSAGE, "is empty; give the text to send")
    if len(text) > MAX_TEXT_CHARACTERS:
        return None, _too_long(f"has {len(text)} characters", max_units)
    if "\x00" in text:
        return None, Violation("message", reasons.INVALID_TEXT, "has the character U+0000; remove it")
    try:
        segmentation = segment(text)
    except ValueError as error:
        return None, Violation("message", reasons.INVALID_TEXT, str(error))
    if segmentation.units > max_units:
        return None, _too_long(f"takes {segmentation.units} SMS units", max_units)
    return segmentation, None


def _too_long(what: str, max_units: int) -> Violation:
    return Violation(
        "message",
        reasons.MESSAGE_TOO_LONG,
        f"{what}; at most {max_units} units are sent as one message, shorten the text",
    )
