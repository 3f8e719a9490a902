"""A price book and traffic that tests write down, resolved as plainly as can be."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from messaging_service.prices.domain.book_prices import (
    BookPrice,
    BookQuestion,
    DraftPrice,
    RowInstants,
    Tier,
    TierHistory,
)
from messaging_service.reports.domain.cost_audit import PricedEntry
from messaging_service.reports.domain.cost_rehearsal import Traffic
from messaging_service.shared.domain.money import Price, PriceLevel

DAWN = datetime(2026, 6, 1, tzinfo=UTC)
DIRECT = Tier(PriceLevel.DIRECT_CUSTOMER, "")
TUKUPAY = Tier(PriceLevel.TUKUPAY, "")


def minute(number: int) -> datetime:
    """So many minutes after the beginning of time."""
    return DAWN + timedelta(minutes=number)


LATE = minute(100_000)


@dataclass
class Row:
    """One line of the book."""

    tier: Tier
    price: Decimal
    effective_from: datetime
    recorded_at: datetime
    revision: int
    cost_id: str
    withdrawn_at: datetime | None = None

    def counts(self, known_at: datetime) -> bool:
        return self.recorded_at <= known_at and (self.withdrawn_at is None or self.withdrawn_at > known_at)

    def answer(self, valid_until: datetime | None = None) -> BookPrice:
        price = Price(self.price, self.cost_id, self.tier.level)
        return BookPrice(price, self.effective_from, self.recorded_at, self.revision, valid_until)


def tier_of(draft: DraftPrice) -> Tier:
    return Tier(draft.level, draft.customer_id or draft.app_id or "")


@dataclass
class WrittenBook:
    """Implements PriceBook."""

    rows: list[Row] = field(default_factory=list)
    now: datetime = LATE
    asked: int = 0
    histories_read: int = 0
    largest_batch: int = 0

    def write(self, tier: Tier, price: str, effective_from: datetime, recorded_at: datetime) -> Row:
        revision = 1 + sum(row.tier == tier and row.effective_from == effective_from for row in self.rows)
        row = Row(tier, Decimal(price), effective_from, recorded_at, revision, f"cost_{len(self.rows)}")
        self.rows.append(row)
        return row

    def resolve(self, question: BookQuestion, drafts: Sequence[DraftPrice] = ()) -> BookPrice | None:
        rows = [row for row in self.rows if row.counts(question.known_at)]
        rows += [
            Row(
                tier_of(draft),
                draft.unit_price,
                draft.effective_from,
                question.known_at,
                1_000 + place,
                f"draft_{place}",
            )
            for place, draft in enumerate(drafts)
        ]
        mine = [row for row in rows if row.tier in question.tiers()]
        valid_until = min((row.effective_from for row in mine if row.effective_from > question.at), default=None)
        for tier in question.tiers():
            begun = [row for row in mine if row.tier == tier and row.effective_from <= question.at]
            if begun:
                return max(begun, key=lambda row: (row.effective_from, row.revision)).answer(valid_until)
        return None

    async def present(self, drafts: Sequence[DraftPrice] = ()) -> datetime:
        return self.now

    async def prices(
        self, questions: Sequence[BookQuestion], drafts: Sequence[DraftPrice] = ()
    ) -> Sequence[BookPrice | None]:
        self.asked += len(questions)
        self.largest_batch = max(self.largest_batch, len(questions))
        assert len(questions) <= 1_000
        assert all(question.known_at <= self.now for question in questions)
        return [self.resolve(question, drafts) for question in questions]

    async def histories(self, tiers: Sequence[Tier]) -> Sequence[TierHistory]:
        self.histories_read += len(tiers)
        return [self._history(tier) for tier in tiers]

    def _history(self, tier: Tier) -> TierHistory:
        rows = [row for row in self.rows if row.tier == tier]
        rows.sort(key=lambda row: row.effective_from)
        return TierHistory(tuple(RowInstants(row.effective_from, row.recorded_at, row.withdrawn_at) for row in rows))


def entry(
    number: int,
    created_at: datetime,
    price: str,
    *,
    account_id: str = "amina",
    app_id: str | None = None,
    scheduled_at: datetime | None = None,
    units: int = 1,
    is_charged: bool = True,
    priced_at: datetime | None = None,
    known_at: datetime | None = None,
) -> PricedEntry:
    """An entry of the outbox."""
    frozen = Price(Decimal(price), "cost_on_record", PriceLevel.DIRECT_CUSTOMER)
    return PricedEntry(
        UUID(int=number), account_id, app_id, created_at, scheduled_at, units, frozen, is_charged, priced_at, known_at
    )


@dataclass
class WrittenTraffic:
    """Implements TrafficRecords."""

    written: list[PricedEntry]
    page: int = 7

    def _within(self, start: datetime, end: datetime) -> list[PricedEntry]:
        return sorted(
            (each for each in self.written if start <= each.created_at < end),
            key=lambda each: (each.created_at, each.id),
        )

    async def entries(
        self, start: datetime, end: datetime, account_id: str | None
    ) -> AsyncGenerator[Sequence[PricedEntry], None]:
        found = [each for each in self._within(start, end) if account_id in (None, each.account_id)]
        for place in range(0, len(found), self.page):
            yield found[place : place + self.page]

    async def charged(self, start: datetime, end: datetime, limit: int) -> Sequence[Traffic]:
        groups: dict[tuple[str, str | None], list[PricedEntry]] = {}
        for each in self._within(start, end):
            if each.is_charged:
                groups.setdefault((each.account_id, each.app_id), []).append(each)
        return [summed(key, group) for key, group in groups.items()][:limit]

    async def charged_between(
        self, start: datetime, end: datetime, cuts: Sequence[tuple[Traffic, Sequence[datetime]]]
    ) -> Sequence[Sequence[Traffic]]:
        answers = []
        for traffic, instants in cuts:
            key = (traffic.account_id, traffic.app_id)
            mine = [
                each for each in self._within(start, end) if each.is_charged and (each.account_id, each.app_id) == key
            ]
            ends = [*instants[1:], traffic.last + timedelta(microseconds=1)]
            answers.append(
                [
                    summed(key, [each for each in mine if begin <= each.price_instant < stop], begin)
                    for begin, stop in zip(instants, ends, strict=True)
                ]
            )
        return answers


def summed(key: tuple[str, str | None], group: Sequence[PricedEntry], first: datetime = DAWN) -> Traffic:
    instants = [each.price_instant for each in group] or [first]
    total = sum((each.price.total(each.units) for each in group), Decimal(0))
    return Traffic(*key, min(instants), max(instants), len(group), sum(each.units for each in group), total)
