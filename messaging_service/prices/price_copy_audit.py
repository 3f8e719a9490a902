"""The port to the comparison of the copy of the price book with the book itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from messaging_service.prices.domain.price_copy import Key


@dataclass(frozen=True, slots=True)
class PriceCopyComparison:
    """How the copy of this process compares with the book."""

    answers: int
    """Answers compared."""
    copy_checksum: str
    """SHA-256 over the copy's answers, in hexadecimal."""
    book_checksum: str
    """The same over those of the book to the same questions; equal when nothing differs."""
    epoch: int | None
    """The state of the book that the copy reflects; None when it never received one."""
    differing: Sequence[Key]
    """Questions answered differently, in order; all of them."""


class PriceCopyAudit(Protocol):
    """Compares."""

    async def compare(self) -> PriceCopyComparison:
        """Asks the book for everything that the copy has.

        What changes meanwhile is asked for again, and is no difference. Raises ServiceError PRICING_UNAVAILABLE.
        """
        ...
