"""Answers very many questions about the past with few that reach the price book.

The answer to a question depends on two instants: the one priced for, and the one as of which the book is known.
Neither matters exactly. Along the first, an answer can only change where a row of one of the tiers concerned takes
effect; along the second, only where one of these rows was recorded or withdrawn. The histories of the tiers name
all these instants, and so cut the plane of both instants into cells inside which the answer is the same. One
question for each cell that has any traffic is enough, and nothing here knows which row wins.

Histories are read after the latest instant that anybody asks about, so they lack nothing that can count. While a
tier was asked about rarely, its history would cost more than its answers: such questions are asked as they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final, TypeVar

from messaging_service.domain.price_book import BookPrice, BookQuestion, Tier, TierHistory
from messaging_service.use_cases.price_book import PriceBook

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_QUESTIONS: Final = 1_000
"""Questions in one call to the book."""
MIN_FOR_HISTORY: Final = 8
"""Questions about a tier for which it is worth reading its history."""
MAX_HISTORIES: Final = 20_000
MAX_ANSWERS: Final = 50_000
MAX_COUNTED: Final = 100_000
"""Tiers whose questions are counted; with the bounds above, tens of megabytes at most."""


class PriceCells:
    """Remembers histories and answers for the length of one report; the oldest are forgotten first."""

    def __init__(
        self,
        book: PriceBook,
        *,
        min_for_history: int = MIN_FOR_HISTORY,
        max_histories: int = MAX_HISTORIES,
        max_answers: int = MAX_ANSWERS,
    ) -> None:
        self._book = book
        self._min_for_history = min_for_history
        self._max_histories = max_histories
        self._max_answers = max_answers
        self._histories: dict[Tier, TierHistory] = {}
        self._counts: dict[Tier, int] = {}
        self._answers: dict[Hashable, BookPrice | None] = {}

    async def prices(self, questions: Sequence[BookQuestion]) -> list[BookPrice | None]:
        """The price for each question in their order; None where there is none."""
        await self._learn(questions)
        keys = [self._cell(question) for question in questions]
        found = {key: self._answers[key] for key in keys if key in self._answers}
        missing = {key: question for key, question in zip(keys, questions, strict=True) if key not in found}
        asked = list(missing.items())
        for start in range(0, len(asked), MAX_QUESTIONS):
            chunk = asked[start : start + MAX_QUESTIONS]
            answers = await self._book.prices([question for _, question in chunk])
            found.update((key, answer) for (key, _), answer in zip(chunk, answers, strict=True))
        for key in missing:
            # Exact questions hardly ever come again.
            if not isinstance(key, BookQuestion):
                self._answers[key] = found[key]
        _forget_oldest(self._answers, self._max_answers)
        return [found[key] for key in keys]

    async def _learn(self, questions: Sequence[BookQuestion]) -> None:
        _forget_oldest(self._histories, self._max_histories)
        _forget_oldest(self._counts, MAX_COUNTED)
        wanted: list[Tier] = []
        for tier, count in Counter(tier for question in questions for tier in question.tiers()).items():
            if tier in self._histories:
                continue
            # Begins anew once it is read, so that those forgotten are not read again for a single question.
            total = count + self._counts.pop(tier, 0)
            if total >= self._min_for_history:
                wanted.append(tier)
            else:
                self._counts[tier] = total
        self._histories.update(zip(wanted, await self._book.histories(wanted), strict=True))

    def _cell(self, question: BookQuestion) -> Hashable:
        """Equal for questions with the same answer; the question itself while a history is not known."""
        place: list[Hashable] = [question.customer_id, question.app_id]
        for tier in question.tiers():
            history = self._histories.get(tier)
            if history is None:
                return question
            # A row counts from its very instants on, in both directions.
            place.append(bisect_right(history.effective, question.at))
            place.append(bisect_right(history.known, question.known_at))
        return tuple(place)


def _forget_oldest(remembered: dict[K, V], limit: int) -> None:
    while len(remembered) > limit:
        del remembered[next(iter(remembered))]
