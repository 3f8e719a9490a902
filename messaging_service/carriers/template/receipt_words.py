"""The words by which carriers say what became of a message, beyond those that are known here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import structlog

from messaging_service.carriers.domain.submission import ReceiptState

log = structlog.get_logger()

WORD: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""A carrier's word for the state of a message."""
MAX_WARNINGS: Final = 100
"""Words that are warned of, so that texts gone astray fill neither the log nor memory."""


def problems_of(words: object) -> Iterator[str]:
    """What is wrong with the setting `receipt_states`, a table of words and the states that they mean."""
    if not isinstance(words, Mapping):
        yield f"is {words!r}: use a table of words and what they mean"
        return
    for word, meaning in words.items():
        if not isinstance(word, str) or WORD.fullmatch(word) is None:
            yield f"has {word!r}: use a word of the carrier, 1 to 40 letters, digits, _ or -"
        if meaning not in tuple(ReceiptState):
            yield f"says that {word!r} means {meaning!r}: use one of {', '.join(ReceiptState)}"
    if len({str(word).upper() for word in words}) < len(words):
        yield "has a word twice: case does not matter"


def states_of(words: Mapping[str, str]) -> dict[str, ReceiptState]:
    """The setting as states by words in capitals."""
    return {word.upper(): ReceiptState(meaning) for word, meaning in words.items()}


class UnknownWords:
    """Warns once of each word that means nothing here: with such a final word, messages stay undecided for ever."""

    def __init__(self, carrier: str, event: str) -> None:
        """`event` is that of the log line."""
        self._carrier = carrier
        self._event = event
        self._warned_of: set[str] = set()

    def found(self, word: str) -> None:
        """A receipt had this word."""
        known = word.upper()
        if known in self._warned_of or len(self._warned_of) >= MAX_WARNINGS:
            return
        self._warned_of.add(known)
        log.warning(
            self._event,
            carrier=self._carrier,
            state=word,
            remedy="ask the carrier what it means, and say so in receipt_states",
        )
