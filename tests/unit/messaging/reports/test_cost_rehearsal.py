"""What past traffic would have cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_service.prices.domain.book_prices import BookQuestion, DraftPrice, Tier
from messaging_service.reports.domain.cost_audit import PricedEntry
from messaging_service.reports.domain.cost_rehearsal import Rehearsal, RehearsedTotal, Superseder, largest_first
from messaging_service.reports.rehearse_costs import MAX_PERIOD, RehearseCosts
from messaging_service.shared.domain.money import PriceLevel
from service_kit.errors import ServiceError
from tests.doubles.written_book import DIRECT, TUKUPAY, WrittenBook, WrittenTraffic, entry, minute
from tests.unit.messaging.reports.test_cost_audit import books, entries


def draft(price: str, effective: int, customer_id: str | None = None, app_id: str | None = None) -> DraftPrice:
    level = PriceLevel.DIRECT_CUSTOMER
    if customer_id is not None:
        level = PriceLevel.SPECIFIC_CUSTOMER
    elif app_id is not None:
        level = PriceLevel.APP_OWNER
    return DraftPrice(level, Decimal(price), customer_id, app_id, minute(effective))


async def rehearsed(
    book: WrittenBook, written: list[PricedEntry], drafts: Sequence[DraftPrice], max_asked: int = 1_000
) -> Rehearsal:
    return await RehearseCosts(WrittenTraffic(written), book, max_asked)(drafts, minute(0), minute(10_000))


def figures(total: RehearsedTotal) -> tuple[int, int, Decimal, Decimal]:
    return total.messages, total.units, total.old, total.new


async def test_a_draft_applies_from_its_instant_on_and_only_to_those_it_is_for() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    written = [
        entry(1, minute(10), "0.8", account_id="amina", units=2),
        entry(2, minute(30), "0.8", account_id="amina"),
        entry(3, minute(30), "0.8", account_id="baraka"),
        entry(4, minute(30), "0.8", account_id="amina", is_charged=False),
    ]
    rehearsal = await rehearsed(book, written, [draft("0.6", 20, customer_id="amina")])
    assert figures(rehearsal.total) == (3, 4, Decimal("3.2"), Decimal("3.0"))
    assert figures(rehearsal.by_customer["amina"]) == (2, 3, Decimal("2.4"), Decimal("2.2"))
    assert rehearsal.by_customer["baraka"].difference == 0
    assert figures(rehearsal.by_level["specific_customer"]) == (1, 1, Decimal("0.8"), Decimal("0.6"))
    assert figures(rehearsal.by_app[""]) == figures(rehearsal.total)


def effect(rehearsal: Rehearsal, place: int) -> tuple[int, int, str | None]:
    """What a draft priced, in messages and units, and the cost that applied in its place."""
    found = rehearsal.drafts[place]
    return found.messages, found.units, found.superseded_by.cost_id if found.superseded_by else None


async def test_a_rehearsal_says_what_each_draft_priced_and_what_superseded_it() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    raised = book.write(DIRECT, "0.9", minute(50), minute(0))
    written = [
        entry(1, minute(20), "0.8", units=2),
        entry(2, minute(60), "0.9"),
        entry(3, minute(70), "0.9"),
        entry(4, minute(70), "0.9", account_id="baraka"),
    ]
    drafts = [
        draft("0.7", 10),  # until the row of minute 50
        draft("0.5", 15, customer_id="baraka"),
        draft("0.4", 5),  # hidden by the first
        draft("0.3", 10, customer_id="nobody"),
        DraftPrice(PriceLevel.TUKUPAY, Decimal("0.1"), None, None, minute(0)),  # never reached
        draft("0.2", 80),  # after all traffic
    ]
    rehearsal = await rehearsed(book, written, drafts)
    assert [effect(rehearsal, place) for place in range(6)] == [
        (1, 2, raised.cost_id),
        (1, 1, None),
        (0, 0, "draft_0"),
        (0, 0, None),
        (0, 0, raised.cost_id),
        (0, 0, None),
    ]
    assert rehearsal.drafts[0].new == Decimal("1.4")
    assert rehearsal.drafts[0].superseded_by == Superseder(raised.cost_id, PriceLevel.DIRECT_CUSTOMER, minute(50))


async def test_a_draft_that_the_book_supersedes_before_all_traffic_priced_nothing() -> None:
    """The difference is that of the book's own increase."""
    book = WrittenBook()
    own = Tier(PriceLevel.SPECIFIC_CUSTOMER, "amina")
    book.write(own, "0.6", minute(0), minute(0))
    increase = book.write(own, "0.65", minute(30), minute(0))
    rehearsal = await rehearsed(book, [entry(1, minute(40), "0.6")], [draft("0.5", 10, customer_id="amina")])
    assert rehearsal.total.difference == Decimal("0.05")
    assert effect(rehearsal, 0) == (0, 0, increase.cost_id)


async def test_a_scheduled_message_is_priced_for_its_time() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    written = [entry(1, minute(10), "0.8", scheduled_at=minute(500))]
    rehearsal = await rehearsed(book, written, [draft("1.1", 400)])
    assert rehearsal.total.new == Decimal("1.1")


async def test_traffic_that_nothing_prices_is_counted_apart() -> None:
    book = WrittenBook()
    row = book.write(TUKUPAY, "1", minute(50), minute(0))
    row.withdrawn_at = minute(10)
    written = [entry(number, minute(number), "1") for number in (5, 20, 60, 70)]
    rehearsal = await rehearsed(book, written, [draft("0.5", 65)])
    assert rehearsal.unpriced_messages == 3
    assert figures(rehearsal.total) == (1, 1, Decimal(1), Decimal("0.5"))


async def test_the_book_is_asked_for_each_change_and_not_for_each_message() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    book.write(DIRECT, "0.9", minute(300), minute(0))
    written = [entry(number, minute(number), "0.8") for number in range(1, 1_000)]
    rehearsal = await rehearsed(book, written, [draft("0.7", 600)])
    assert book.asked == 3
    assert rehearsal.total.new == Decimal("0.8") * 299 + Decimal("0.9") * 300 + Decimal("0.7") * 400


async def test_too_many_questions_are_refused_before_they_are_asked() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    written = [entry(number, minute(number), "0.8", account_id=f"a{number}") for number in range(1, 5)]
    with pytest.raises(ServiceError, match="TOO_MUCH_TRAFFIC"):
        await rehearsed(book, written, [draft("0.7", 600)], max_asked=3)
    assert book.asked == 0
    await rehearsed(book, written, [draft("0.7", 600)], max_asked=4)


@pytest.mark.parametrize(
    ("drafts", "days", "field"),
    [(0, 1, "drafts"), (1_001, 1, "drafts"), (1, 0, "period_end"), (1, MAX_PERIOD.days + 1, "period_end")],
)
async def test_a_rehearsal_that_cannot_be_is_refused(drafts: int, days: int, field: str) -> None:
    rehearse = RehearseCosts(WrittenTraffic([]), WrittenBook())
    with pytest.raises(ServiceError, match=field):
        await rehearse([draft("0.7", 0)] * drafts, minute(0), minute(0) + timedelta(days=days))


def test_the_largest_difference_comes_first_whichever_way_it_goes() -> None:
    totals = {
        name: RehearsedTotal(1, 1, Decimal(10), Decimal(10 + difference))
        for name, difference in (("a", 1), ("b", -5), ("c", 3), ("d", -3))
    }
    assert [name for name, _ in largest_first(totals.items())] == ["b", "c", "d", "a"]


@settings(deadline=None, max_examples=80)
@given(data=st.data())
async def test_a_rehearsal_sums_up_what_asking_for_each_message_would(data: st.DataObject) -> None:
    book = data.draw(books())
    written = data.draw(entries(book))
    drafts = data.draw(
        st.lists(
            st.builds(
                lambda price, effective, whom: draft(price, effective, *whom),
                st.sampled_from(("0.5", "1.5")),
                st.integers(0, 80),
                st.sampled_from(((None, None), ("amina", None), (None, "shop"))),
            ),
            min_size=1,
            max_size=4,
        )
    )

    def won(each: PricedEntry) -> int | None:
        price = book.resolve(BookQuestion(each.account_id, each.app_id, each.price_instant, book.now), drafts)
        _, is_draft, place = price.price.cost_id.partition("draft_") if price else ("", "", "")
        return int(place) if is_draft else None

    expected = Rehearsal()
    for each in written:
        if each.is_charged:
            asked = BookQuestion(each.account_id, each.app_id, each.price_instant, book.now)
            (traffic,) = await WrittenTraffic([each]).charged(minute(0), minute(10_000), 1)
            expected.add(traffic, book.resolve(asked, drafts))
    found = await rehearsed(book, written, drafts)
    priced = [sum(each.is_charged and won(each) == place for each in written) for place in range(len(drafts))]
    assert [each.messages for each in found.drafts] == priced
    found.drafts = ()
    assert found == expected
