"""What an audit finds, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_service.prices.domain.book_prices import BookPrice, BookQuestion, Tier
from messaging_service.reports.audit_costs import AuditCosts
from messaging_service.reports.domain.cost_audit import AuditTotals, Cause, CostException, PricedEntry, cause_of
from messaging_service.reports.price_cells import PriceCells
from messaging_service.shared.domain.money import PriceLevel
from service_kit.errors import ServiceError
from tests.doubles.written_book import DIRECT, TUKUPAY, Row, WrittenBook, WrittenTraffic, entry, minute

AMINA = Tier(PriceLevel.SPECIFIC_CUSTOMER, "amina")
APP = Tier(PriceLevel.APP_OWNER, "shop")


def row(tier: Tier, price: str, effective: int, recorded: int, revision: int = 1) -> BookPrice:
    return Row(tier, Decimal(price), minute(effective), minute(recorded), revision, "cost_1").answer()


OLD = row(DIRECT, "0.8", 0, 0)
ACCEPTED = 50


@pytest.mark.parametrize(
    ("recorded", "then", "now", "cause"),
    [
        pytest.param("0.8", OLD, OLD, None, id="the price of the book"),
        pytest.param("0.8", OLD, row(AMINA, "0.8", 10, 60), None, id="another row with the same price"),
        pytest.param("0.8", OLD, row(DIRECT, "0.7", 40, 60), Cause.LATE_ENTRY, id="a later row, recorded after"),
        pytest.param("0.8", OLD, row(AMINA, "0.7", 0, 60), Cause.LATE_ENTRY, id="a stronger level, recorded after"),
        pytest.param("0.8", OLD, row(DIRECT, "0.7", 0, 60, 2), Cause.REVISED_AFTER, id="a newer revision"),
        pytest.param("0.8", OLD, None, Cause.WITHDRAWN, id="nothing is left"),
        pytest.param("0.8", OLD, row(TUKUPAY, "1", 0, 10), Cause.WITHDRAWN, id="what was known then and had lost"),
        pytest.param("0.8", OLD, row(TUKUPAY, "1", 0, 60), Cause.WITHDRAWN, id="a weaker level, recorded after"),
        pytest.param(
            "0.8", row(DIRECT, "0.8", 30, 0), row(DIRECT, "1", 20, 60), Cause.WITHDRAWN, id="an earlier row, after"
        ),
        pytest.param("0.9", None, None, Cause.MISSING_ROW, id="the book never had a price"),
        pytest.param("0.9", OLD, OLD, Cause.MISPRICED, id="a price from nowhere"),
        pytest.param("0.9", OLD, row(DIRECT, "0.9", 0, 60, 2), Cause.MISPRICED, id="the price of tomorrow"),
        pytest.param("0.9", OLD, None, Cause.MISPRICED, id="a price from nowhere, and nothing left"),
        pytest.param("0.9", None, OLD, Cause.MISPRICED, id="a price from nowhere before there was one"),
        pytest.param("0.8", None, row(DIRECT, "0.8", 0, 60), Cause.LATE_ENTRY, id="the price came to the book after"),
        pytest.param("0.8", OLD, row(DIRECT, "0.7", 40, ACCEPTED), Cause.WITHDRAWN, id="recorded at acceptance counts"),
    ],
)
def test_an_exception_has_one_cause(
    recorded: str, then: BookPrice | None, now: BookPrice | None, cause: Cause | None
) -> None:
    assert cause_of(entry(1, minute(ACCEPTED), recorded), then, now) is cause


@pytest.mark.parametrize(
    ("recorded", "then", "now", "cause"),
    [
        pytest.param("0.8", OLD, OLD, None, id="the price of the book"),
        pytest.param("0.8", OLD, row(DIRECT, "0.7", 40, 45), Cause.STALE_PRICE, id="not heard of at acceptance"),
        pytest.param("0.8", OLD, row(DIRECT, "0.7", 0, ACCEPTED, 2), Cause.STALE_PRICE, id="a revision not heard of"),
        pytest.param("0.8", OLD, row(DIRECT, "0.7", 40, 60), Cause.LATE_ENTRY, id="recorded after acceptance"),
        pytest.param("0.8", OLD, row(DIRECT, "0.7", 0, 60, 2), Cause.REVISED_AFTER, id="revised after acceptance"),
        pytest.param("0.8", OLD, row(TUKUPAY, "1", 0, 30), Cause.WITHDRAWN, id="known and had lost"),
        pytest.param("0.8", None, row(DIRECT, "0.8", 0, 60), Cause.MISPRICED, id="nobody can have known that price"),
    ],
)
def test_an_entry_that_kept_what_was_known_is_judged_by_it(
    recorded: str, then: BookPrice | None, now: BookPrice | None, cause: Cause | None
) -> None:
    kept = entry(1, minute(ACCEPTED), recorded, priced_at=minute(49), known_at=minute(40))
    assert kept.is_exact
    assert (kept.price_instant, kept.known_at) == (minute(49), minute(40))
    assert cause_of(kept, then, now) is cause


async def test_entries_that_kept_nothing_are_counted() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    book.write(DIRECT, "0.7", minute(9), minute(5))
    written = [
        entry(1, minute(10), "0.8"),
        entry(2, minute(10), "0.8", priced_at=minute(8), known_at=minute(5)),
        entry(3, minute(10), "0.8", priced_at=minute(8)),
        entry(4, minute(10), "0.7", priced_at=minute(9), known_at=minute(5)),
        entry(5, minute(10), "0.8", priced_at=minute(9), known_at=minute(0)),
    ]
    found, totals = await audited(book, written)
    assert (totals.entries, totals.approximate) == (5, 2)
    assert [(each.entry.id.int, each.cause) for each in found] == [(1, Cause.MISPRICED), (5, Cause.STALE_PRICE)]


def test_a_price_instant_is_the_scheduled_time_only_when_that_lay_ahead() -> None:
    assert entry(1, minute(5), "1").price_instant == minute(5)
    assert entry(1, minute(5), "1", scheduled_at=minute(4)).price_instant == minute(5)
    assert entry(1, minute(5), "1", scheduled_at=minute(6)).price_instant == minute(6)


def test_totals_count_the_money_of_charged_messages_only() -> None:
    totals = AuditTotals()
    cheaper = row(DIRECT, "0.7", 0, 60, 2)
    totals.add(entry(1, minute(ACCEPTED), "0.8", units=3), OLD, cheaper)
    totals.add(entry(2, minute(ACCEPTED), "0.8", is_charged=False), OLD, cheaper)
    totals.add(entry(3, minute(ACCEPTED), "0.8"), OLD, OLD)
    totals.add(entry(4, minute(ACCEPTED), "0.9"), None, None)
    assert (totals.entries, totals.as_known_then, totals.as_known_now, totals.exceptions) == (4, 3, 1, 3)
    assert totals.difference == Decimal("-0.3")


async def audited(
    book: WrittenBook, written: list[PricedEntry], account_id: str | None = None
) -> tuple[list[CostException], AuditTotals]:
    found: list[CostException] = []
    totals: list[AuditTotals] = []
    audit = AuditCosts(WrittenTraffic(written), book)
    async for news in audit(minute(0), minute(10_000), account_id):
        assert not totals, "the totals come last"
        if isinstance(news, AuditTotals):
            totals.append(news)
        else:
            found.extend(news)
    (total,) = totals
    return found, total


async def test_a_late_entry_lists_what_was_charged_before_it_was_known() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    book.write(AMINA, "0.6", minute(20), minute(40))
    # Priced by the book as it was known: from minute 40 on at 0.6.
    written = [entry(number, minute(number), "0.8" if number < 40 else "0.6") for number in range(1, 60)]
    found, totals = await audited(book, written)
    assert [exception.entry.created_at for exception in found] == [minute(number) for number in range(20, 40)]
    assert {exception.cause for exception in found} == {Cause.LATE_ENTRY}
    assert (totals.as_known_then, totals.as_known_now) == (59, 39)
    assert totals.difference == Decimal("-0.2") * 20


async def test_a_million_questions_are_a_few_for_the_book() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    book.write(DIRECT, "0.9", minute(2_000), minute(1_000))
    await audited(book, [entry(number, minute(number), "0.8") for number in range(1, 4_000)])
    assert book.asked < 40


async def test_an_audit_of_one_account_sees_no_other() -> None:
    book = WrittenBook()
    book.write(DIRECT, "0.8", minute(0), minute(0))
    written = [entry(number, minute(number), "1", account_id=name) for number, name in enumerate(("amina", "baraka"))]
    found, totals = await audited(book, written, "baraka")
    assert totals.entries == 1
    assert [exception.entry.account_id for exception in found] == ["baraka"]


async def test_what_is_known_of_an_entry_from_a_clock_ahead_is_what_is_known_now() -> None:
    book = WrittenBook(now=minute(30))
    book.write(DIRECT, "0.8", minute(0), minute(0))
    _, totals = await audited(book, [entry(1, minute(31), "0.8")])
    assert (totals.as_known_then, totals.as_known_now, totals.exceptions) == (1, 1, 0)


@pytest.mark.parametrize(("end", "account_id"), [(0, None), (5, None), (10, "")])
async def test_a_period_or_account_that_is_none_is_refused(end: int, account_id: str | None) -> None:
    audit = AuditCosts(WrittenTraffic([]), WrittenBook())
    with pytest.raises(ServiceError, match="INVALID_ARGUMENT"):
        await anext(audit(minute(5), minute(end), account_id))


# Random histories, in which everything happens that the book allows.

TIERS = (AMINA, Tier(PriceLevel.SPECIFIC_CUSTOMER, "baraka"), APP, DIRECT, TUKUPAY)
_minutes = st.integers(0, 60)


@st.composite
def books(draw: st.DrawFn) -> WrittenBook:
    """Rows recorded one after another; some are withdrawn before they take effect."""
    book = WrittenBook(now=minute(200))
    for recorded in sorted(draw(st.lists(_minutes, max_size=10, unique=True))):
        written = book.write(
            draw(st.sampled_from(TIERS)),
            draw(st.sampled_from(("0.6", "0.7", "0.8"))),
            minute(draw(_minutes)),
            minute(recorded),
        )
        lies_ahead = int((written.effective_from - written.recorded_at).total_seconds()) // 60
        if lies_ahead > 1 and draw(st.booleans()):
            written.withdrawn_at = minute(recorded + draw(st.integers(1, lies_ahead - 1)))
    return book


@st.composite
def entries(draw: st.DrawFn, book: WrittenBook) -> list[PricedEntry]:
    """Entries that were mostly priced right."""
    found: list[PricedEntry] = []
    for number in range(draw(st.integers(0, 16))):
        created = draw(_minutes)
        ahead = draw(st.sampled_from((None, None, -5, 3, 20)))
        plain = entry(
            number,
            minute(created),
            "0.9",
            account_id=draw(st.sampled_from(("amina", "baraka", "chausiku"))),
            app_id=draw(st.sampled_from((None, "shop"))),
            scheduled_at=None if ahead is None else minute(created + ahead),
            units=draw(st.integers(1, 3)),
            is_charged=draw(st.booleans()),
            **draw(st.sampled_from(({}, {"priced_at": minute(created - 1), "known_at": minute(created - 5)}))),
        )
        known = book.resolve(question(plain, plain.known_at))
        wrong = draw(st.integers(0, 9)) == 0
        price = "0.9" if wrong or known is None else str(known.price.unit_price)
        found.append(
            entry(
                number,
                plain.created_at,
                price,
                account_id=plain.account_id,
                app_id=plain.app_id,
                scheduled_at=plain.scheduled_at,
                units=plain.units,
                is_charged=plain.is_charged,
                priced_at=plain.priced_at,
                known_at=plain.price_known_at,
            )
        )
    return found


def question(each: PricedEntry, known_at: datetime) -> BookQuestion:
    return BookQuestion(each.account_id, each.app_id, each.price_instant, known_at)


def naive(book: WrittenBook, written: Sequence[PricedEntry]) -> list[tuple[PricedEntry, Cause]]:
    """Entry by entry, and the cause by trying what would have been without it."""
    found: list[tuple[PricedEntry, Cause]] = []
    for each in sorted(written, key=lambda each: (each.created_at, each.id)):
        price = each.price.unit_price
        then, now = (book.resolve(question(each, known)) for known in (each.known_at, book.now))
        same_then = then is not None and then.price.unit_price == price
        same_now = now is not None and now.price.unit_price == price
        if same_then and same_now:
            continue
        if then is None and now is None:
            cause = Cause.MISSING_ROW
        elif then is None and same_now and each.priced_at is None:
            cause = Cause.LATE_ENTRY
        elif then is None or not same_then:
            cause = Cause.MISPRICED
        else:
            kept = [
                Row(**{**vars(r), "withdrawn_at": None}) if r.cost_id == then.price.cost_id else r for r in book.rows
            ]
            without = WrittenBook(kept, book.now).resolve(question(each, book.now))
            assert without is not None
            if without.price.cost_id == then.price.cost_id:
                cause = Cause.WITHDRAWN
            elif now is not None and now.recorded_at <= each.created_at:
                cause = Cause.STALE_PRICE
            else:
                assert now is not None
                same_place = (now.price.level, now.effective_from) == (then.price.level, then.effective_from)
                cause = Cause.REVISED_AFTER if same_place else Cause.LATE_ENTRY
        found.append((each, cause))
    return found


@settings(deadline=None, max_examples=80)
@given(data=st.data())
async def test_an_audit_finds_what_asking_for_each_entry_finds(data: st.DataObject) -> None:
    book = data.draw(books())
    written = data.draw(entries(book))
    found, totals = await audited(book, written)
    assert [(exception.entry, exception.cause) for exception in found] == naive(book, written)
    assert totals.entries == len(written)
    assert totals.exceptions == len(found)
    expected = sum(
        (
            (exception.now.price.unit_price - exception.entry.price.unit_price) * exception.entry.units
            for exception in found
            if exception.now is not None and exception.entry.is_charged
        ),
        Decimal(0),
    )
    assert totals.difference == expected


@settings(deadline=None, max_examples=80)
@given(data=st.data(), limit=st.integers(0, 3))
async def test_cells_answer_as_the_book_however_little_they_remember(data: st.DataObject, limit: int) -> None:
    book = data.draw(books())
    ask = st.builds(
        BookQuestion,
        st.sampled_from(("amina", "baraka", "chausiku")),
        st.sampled_from((None, "shop", "till")),
        _minutes.map(minute),
        _minutes.map(minute),
    )
    questions = data.draw(st.lists(ask, max_size=24))
    cells = PriceCells(book, max_rows=limit, max_answers=limit)
    cuts = sorted({0, len(questions), *data.draw(st.lists(st.integers(0, len(questions)), max_size=3))})
    for start, end in pairwise(cuts):
        answers = await cells.prices(questions[start:end])
        expected = [book.resolve(each) for each in questions[start:end]]
        assert [each and each.price for each in answers] == [each and each.price for each in expected]
