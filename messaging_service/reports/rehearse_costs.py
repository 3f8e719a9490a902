"""Prices past traffic again, as if prices that are only tried out were in the book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from messaging_service.prices.domain.book_prices import BookPrice, BookQuestion, DraftPrice, TierHistory
from messaging_service.prices.price_book_port import PriceBook
from messaging_service.reports.domain.cost_rehearsal import Rehearsal, Traffic
from messaging_service.reports.domain.draft_effects import DraftEffects
from messaging_service.reports.price_cells import MAX_QUESTIONS
from messaging_service.reports.traffic import TrafficRecords
from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError, Violation, invalid

MAX_PERIOD: Final = timedelta(days=92)
MAX_DRAFTS: Final = 1_000
MAX_ASKED: Final = 100_000
"""Questions that one rehearsal may ask; also bounds its memory, a sum of traffic for each."""

Timeline = list[tuple[datetime, BookPrice | None]]
"""Prices in the order of their instants, each from its instant on."""


@dataclass(frozen=True, slots=True)
class RehearseCosts:
    """The use case behind RehearseCosts."""

    traffic: TrafficRecords
    book: PriceBook
    max_asked: int = MAX_ASKED

    async def __call__(self, drafts: Sequence[DraftPrice], start: datetime, end: datetime) -> Rehearsal:
        """The old and new amounts of the charged messages of a period.

        Raises ServiceError INVALID, TOO_MUCH_TRAFFIC, PRICING_UNAVAILABLE or DATABASE_UNAVAILABLE.
        """
        _check(drafts, start, end)
        # Everything is asked as it is known at one instant, so that a change in the midst counts for nothing.
        present = await self.book.present(drafts)
        traffic = await self.traffic.charged(start, end, self.max_asked + 1)
        timelines = await self._timelines(traffic, drafts, present)
        rehearsal, effects = Rehearsal(), DraftEffects(drafts)
        cut: list[tuple[Traffic, Timeline]] = []
        for each, timeline in zip(traffic, timelines, strict=True):
            if len(timeline) == 1:
                rehearsal.add(each, timeline[0][1])
                effects.add(each, timeline[0][1], None)
            else:
                cut.append((each, timeline))
        for place in range(0, len(cut), MAX_QUESTIONS):
            chunk = cut[place : place + MAX_QUESTIONS]
            parts = await self.traffic.charged_between(
                start, end, [(each, [instant for instant, _ in timeline]) for each, timeline in chunk]
            )
            for (_, timeline), sums in zip(chunk, parts, strict=True):
                ends = [*(instant for instant, _ in timeline[1:]), None]
                for (_, price), end_of_part, part in zip(timeline, ends, sums, strict=True):
                    rehearsal.add(part, price)
                    effects.add(part, price, end_of_part)
        rehearsal.drafts = effects.each()
        return rehearsal

    async def _timelines(
        self, traffic: Sequence[Traffic], drafts: Sequence[DraftPrice], present: datetime
    ) -> list[Timeline]:
        """What the price of each was from its first instant to its last.

        Not a question for each message: a price stands until the book says that it may change, so each account
        and app costs one question and one more for every change within its traffic.
        """
        timelines: list[Timeline] = [[] for _ in traffic]
        asked = 0
        following = [(place, each.first) for place, each in enumerate(traffic)]
        while following:
            asked += len(following)
            if asked > self.max_asked:
                raise _too_much(self.max_asked)
            questions = [
                BookQuestion(traffic[place].account_id, traffic[place].app_id, at, present) for place, at in following
            ]
            prices = await self._prices(questions, drafts)
            histories = await self._histories([q for q, price in zip(questions, prices, strict=True) if price is None])
            later: list[tuple[int, datetime]] = []
            for (place, at), question, price in zip(following, questions, prices, strict=True):
                timelines[place].append((at, price))
                until = price.valid_until if price else _next_change(question, histories, drafts)
                if until is not None and until <= traffic[place].last:
                    later.append((place, until))
            following = later
        return timelines

    async def _prices(self, questions: Sequence[BookQuestion], drafts: Sequence[DraftPrice]) -> list[BookPrice | None]:
        found: list[BookPrice | None] = []
        for start in range(0, len(questions), MAX_QUESTIONS):
            found += await self.book.prices(questions[start : start + MAX_QUESTIONS], drafts)
        return found

    async def _histories(self, unpriced: Sequence[BookQuestion]) -> dict[object, TierHistory]:
        # Where there is no price, there is nobody to say until when.
        tiers = list(dict.fromkeys(tier for question in unpriced for tier in question.tiers()))
        return dict(zip(tiers, await self.book.histories(tiers), strict=True))


def _next_change(
    question: BookQuestion, histories: dict[object, TierHistory], drafts: Sequence[DraftPrice]
) -> datetime | None:
    """The first instant at which anything takes effect that could price what has no price."""
    instants = [row.effective_from for tier in question.tiers() for row in histories[tier].rows]
    instants += [draft.effective_from for draft in drafts]
    return min((instant for instant in instants if instant > question.at), default=None)


def _check(drafts: Sequence[DraftPrice], start: datetime, end: datetime) -> None:
    found: list[Violation] = []
    if not 1 <= len(drafts) <= MAX_DRAFTS:
        found.append(
            Violation("drafts", reasons.OUT_OF_RANGE, f"has {len(drafts)} prices; try 1 to {MAX_DRAFTS} at once")
        )
    if end <= start:
        found.append(
            Violation(
                "period_end", reasons.OUT_OF_RANGE, "is not after the start of the period; give the first instant after"
            )
        )
    elif end - start > MAX_PERIOD:
        problem = f"is more than {MAX_PERIOD.days} days after the start of the period; choose a shorter period"
        found.append(Violation("period_end", reasons.OUT_OF_RANGE, problem))
    if found:
        raise invalid(found)


def _too_much(limit: int) -> ServiceError:
    return ServiceError(
        Kind.FAILED_PRECONDITION,
        reasons.TOO_MUCH_TRAFFIC,
        f"the period needs more than {limit:,} prices (one for each account and app, and for each price change "
        "within); choose a shorter one",
        metadata={"limit": str(limit)},
    )
