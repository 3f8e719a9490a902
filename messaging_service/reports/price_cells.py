"""Answers very many questions about the past with few that reach the price book.

The answer to a question depends on two instants: the one priced for, and the one as of which the book is known.
Neither matters exactly. A row that takes effect after the first does not count; of the others, each counts from when
it was recorded until it was withdrawn. So the histories of the tiers concerned, which name these instants, tell which
questions are answered from the very same rows: they lie in one cell. One question for each cell that has any traffic
is enough, and nothing here knows which row wins. Tiers without a row that counts do not even tell cells apart, so that
all who pay the default share one.

Histories are read after the latest instant that anybody asks about, so they lack nothing that can count.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Hashable, Sequence
from datetime import datetime
from itertools import count
from typing import Final, TypeVar

from messaging_service.prices.domain.book_prices import BookPrice, BookQuestion, Tier, TierHistory
from messaging_service.prices.price_book_port import PriceBook

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_QUESTIONS: Final = 1_000
"""Questions in one call to the book."""
AT_ONCE: Final = 2
"""Calls under way at once: one is answered while the next is read."""
MAX_ROWS: Final = 200_000
"""Rows and tiers whose instants are remembered: some fifty megabytes at most."""
MAX_ANSWERS: Final = 25_000
"""Some twenty megabytes. Traffic comes by its time, so what is forgotten is hardly asked for again."""
MAX_CHANGES: Final = 4
"""For each tier: lists of the changes that count at an instant. Traffic comes by its time, so one serves long."""

_Cell = tuple[tuple[int, int, int], ...]
"""For each tier with rows that count: its number, how many took effect, and how many changes of them are known."""


class _TierCells:
    """Where an instant and a state of knowledge lie among the changes of one tier."""

    __slots__ = ("_changes", "_effective", "_number", "_rows")

    def __init__(self, number: int, history: TierHistory) -> None:
        self._number = number
        self._rows = history.rows
        self._effective = [row.effective_from for row in history.rows]
        self._changes: dict[int, list[datetime]] = {}

    @property
    def size(self) -> int:
        """What it takes to remember it."""
        return 1 + len(self._rows)

    def place(self, at: datetime, known_at: datetime) -> tuple[int, int, int] | None:
        """Equal where the same rows of the tier count; None where none does."""
        # A row counts from its very instants on, in both directions.
        effective = bisect_right(self._effective, at)
        if not effective:
            return None
        changes = self._changes.get(effective)
        if changes is None:
            changes = self._changes[effective] = self._changes_of(effective)
        known = bisect_right(changes, known_at)
        return (self._number, effective, known) if known else None

    def _changes_of(self, effective: int) -> list[datetime]:
        """When the first `effective` rows became what they are."""
        _forget_oldest(self._changes, MAX_CHANGES - 1)
        rows = self._rows[:effective]
        changes = [row.recorded_at for row in rows]
        changes += [row.withdrawn_at for row in rows if row.withdrawn_at is not None]
        changes.sort()
        return changes


class PriceCells:
    """Remembers histories and answers for the length of one report; the oldest are forgotten first."""

    def __init__(self, book: PriceBook, *, max_rows: int = MAX_ROWS, max_answers: int = MAX_ANSWERS) -> None:
        self._book = book
        self._max_rows = max_rows
        self._max_answers = max_answers
        self._numbers = count()
        self._tiers: dict[Tier, _TierCells] = {}
        self._rows = 0
        self._concerned: dict[tuple[str, str | None], tuple[_TierCells, ...]] = {}
        self._answers: dict[_Cell, BookPrice | None] = {(): None}

    async def prices(self, questions: Sequence[BookQuestion]) -> list[BookPrice | None]:
        """The price for each question in their order; None where there is none.

        Their `valid_until` is that of another question in the same cell, and says nothing here.
        """
        await self._learn(questions)
        cells = [self._cell(question) for question in questions]
        found: dict[_Cell, BookPrice | None] = {}
        missing: dict[_Cell, BookQuestion] = {}
        for cell, question in zip(cells, questions, strict=True):
            if cell in self._answers:
                found[cell] = self._answers[cell]
            else:
                missing.setdefault(cell, question)
        asked = list(missing.items())
        for start in range(0, len(asked), AT_ONCE * MAX_QUESTIONS):
            await self._ask(asked[start : start + AT_ONCE * MAX_QUESTIONS], found)
        for cell in missing:
            self._answers[cell] = found[cell]
        # No row that counts, no price: that needs no question, ever.
        _forget_oldest(self._answers, self._max_answers)
        self._answers[()] = None
        return [found[cell] for cell in cells]

    async def _ask(self, asked: Sequence[tuple[_Cell, BookQuestion]], found: dict[_Cell, BookPrice | None]) -> None:
        chunks = [asked[start : start + MAX_QUESTIONS] for start in range(0, len(asked), MAX_QUESTIONS)]
        answers = await asyncio.gather(*(self._book.prices([question for _, question in chunk]) for chunk in chunks))
        for chunk, prices in zip(chunks, answers, strict=True):
            found.update((cell, price) for (cell, _), price in zip(chunk, prices, strict=True))

    async def _learn(self, questions: Sequence[BookQuestion]) -> None:
        """Makes sure that all histories are known, whatever else has to be forgotten for it."""
        concerned = {(question.customer_id, question.app_id): question for question in questions}
        unknown = [(key, question.tiers()) for key, question in concerned.items() if key not in self._concerned]
        if unknown and self._rows + len(self._concerned) > self._max_rows:
            self._tiers.clear()
            self._concerned.clear()
            self._rows = 0
            unknown = [(key, question.tiers()) for key, question in concerned.items()]
        wanted = list(dict.fromkeys(tier for _, tiers in unknown for tier in tiers if tier not in self._tiers))
        for tier, history in zip(wanted, await self._book.histories(wanted), strict=True):
            cells = self._tiers[tier] = _TierCells(next(self._numbers), history)
            self._rows += cells.size
        for key, tiers in unknown:
            self._concerned[key] = tuple(self._tiers[tier] for tier in tiers)

    def _cell(self, question: BookQuestion) -> _Cell:
        """Equal for questions with the same answer."""
        at, known_at = question.at, question.known_at
        places = [tier.place(at, known_at) for tier in self._concerned[question.customer_id, question.app_id]]
        return tuple([place for place in places if place is not None])


def _forget_oldest(remembered: dict[K, V], limit: int) -> None:
    while len(remembered) > limit:
        del remembered[next(iter(remembered))]
