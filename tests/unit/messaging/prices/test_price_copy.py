"""What is remembered of the price book, and when it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from messaging_service.prices.domain import price_copy
from messaging_service.prices.domain.book_clock import CLOCK_KNOWN_S, CLOCK_MARGIN_S
from messaging_service.prices.domain.price_copy import (
    Answer,
    Asking,
    Change,
    Key,
    PriceCopy,
)
from messaging_service.shared.domain.money import Price, PriceLevel, SendPrice

SPECIFIC, APP, DIRECT, TUKUPAY = (
    PriceLevel.SPECIFIC_CUSTOMER,
    PriceLevel.APP_OWNER,
    PriceLevel.DIRECT_CUSTOMER,
    PriceLevel.TUKUPAY,
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
JANE: Key = ("jane", None)
JANE_VIA_SHOP: Key = ("jane", "shop")
OTIENO_VIA_SHOP: Key = ("otieno", "shop")


def price(cost_id: str = "cost_1") -> Price:
    return Price(Decimal("0.6"), cost_id, SPECIFIC)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@dataclass
class Desk:
    """A copy, its clock, and a price book whose clock shows noon when the copy's shows 1,000 s."""

    capacity: int = 100
    silence_s: float = 3.0
    stale_s: float = 60.0
    time: float = 1_000.0
    copy: PriceCopy = field(init=False)

    def __post_init__(self) -> None:
        self.copy = PriceCopy(
            capacity=self.capacity, silence_s=self.silence_s, stale_s=self.stale_s, clock=lambda: self.time
        )

    @property
    def now(self) -> datetime:
        return NOON + seconds(self.time - 1_000)

    def learn(self, key: Key, *, asking: Asking | None = None, until: datetime | None = None, cost: str = "") -> None:
        """Takes in an answer of this instant."""
        self.copy.learn(
            asking or self.copy.asking(), key, Answer(price(cost or f"cost_{key[0]}_{key[1]}"), self.now, until)
        )

    def knows(self, key: Key, at: datetime | None = None) -> bool:
        return self.copy.price_of(key, at) is not None

    def given(self, key: Key, at: datetime | None = None) -> SendPrice:
        found = self.copy.price_of(key, at)
        assert found is not None
        return found

    def beat(self, now: datetime | None = None) -> None:
        """A heartbeat without news."""
        assert self.copy.epoch is not None
        self.copy.watch_told(self.copy.epoch, [], now)


@pytest.fixture
def desk() -> Desk:
    """One whose watch has just opened."""
    made = Desk()
    made.copy.watch_opened(7)
    return made


def test_an_answer_serves_until_the_book_changes(desk: Desk) -> None:
    assert not desk.knows(JANE)
    desk.learn(JANE, cost="cost_9")
    assert desk.given(JANE).price == price("cost_9")
    desk.copy.watch_told(8, [Change(SPECIFIC, "jane")])
    assert not desk.knows(JANE)
    assert (desk.copy.tally.hits, desk.copy.tally.misses, desk.copy.tally.changes) == (1, 2, 1)


@pytest.mark.parametrize(
    ("change", "forgotten"),
    [
        (Change(SPECIFIC, "jane"), {JANE, JANE_VIA_SHOP}),
        (Change(SPECIFIC, "shop"), set[Key]()),
        (Change(APP, "shop"), {JANE_VIA_SHOP, OTIENO_VIA_SHOP}),
        (Change(APP, "jane"), set[Key]()),
        (Change(DIRECT, None), {JANE, JANE_VIA_SHOP, OTIENO_VIA_SHOP}),
        (Change(TUKUPAY, None), {JANE, JANE_VIA_SHOP, OTIENO_VIA_SHOP}),
    ],
)
def test_a_change_takes_with_it_what_it_may_price(desk: Desk, change: Change, forgotten: set[Key]) -> None:
    keys = (JANE, JANE_VIA_SHOP, OTIENO_VIA_SHOP)
    for key in keys:
        desk.learn(key)
    desk.copy.watch_told(8, [change])
    assert {key for key in keys if not desk.knows(key)} == forgotten
    for key in keys:
        desk.learn(key)
    assert all(desk.knows(key) for key in keys)


@pytest.mark.parametrize("change", [Change(SPECIFIC, "jane"), Change(APP, "shop"), Change(DIRECT, None)])
def test_an_answer_that_was_under_way_when_the_book_changed_is_not_kept(desk: Desk, change: Change) -> None:
    asking = desk.copy.asking()
    desk.copy.watch_told(8, [change])
    desk.learn(JANE_VIA_SHOP, asking=asking)
    assert not desk.knows(JANE_VIA_SHOP)
    desk.learn(JANE_VIA_SHOP)
    desk.learn(JANE_VIA_SHOP, asking=asking, cost="cost_old")
    assert desk.given(JANE_VIA_SHOP).price == price("cost_jane_shop")


def test_an_answer_under_way_while_somebody_else_s_price_changes_is_kept(desk: Desk) -> None:
    asking = desk.copy.asking()
    desk.copy.watch_told(8, [Change(SPECIFIC, "otieno")])
    desk.learn(JANE_VIA_SHOP, asking=asking)
    assert desk.knows(JANE_VIA_SHOP)


def test_an_answer_from_before_the_watch_is_not_kept() -> None:
    desk = Desk()
    desk.learn(JANE)
    assert len(desk.copy) == 0
    asking = desk.copy.asking()
    desk.copy.watch_opened(7)
    desk.learn(JANE, asking=asking)
    assert not desk.knows(JANE)


def test_a_watch_that_opens_where_the_last_one_ended_loses_nothing(desk: Desk) -> None:
    desk.learn(JANE)
    asking = desk.copy.asking()
    desk.copy.watch_broke()
    desk.copy.watch_opened(7)
    desk.learn(OTIENO_VIA_SHOP, asking=asking)
    assert desk.knows(JANE)
    assert desk.knows(OTIENO_VIA_SHOP)


@pytest.mark.parametrize("epoch", [6, 8])
def test_a_watch_that_opens_elsewhere_forgets_everything(desk: Desk, epoch: int) -> None:
    desk.learn(JANE)
    asking = desk.copy.asking()
    desk.copy.watch_broke()
    desk.copy.watch_opened(epoch)
    desk.learn(OTIENO_VIA_SHOP, asking=asking)
    assert not desk.knows(JANE)
    assert not desk.knows(OTIENO_VIA_SHOP)
    assert desk.copy.epoch == epoch


@pytest.mark.parametrize(("epoch", "changes"), [(8, 0), (9, 1), (7, 1), (6, 0)])
def test_an_epoch_that_does_not_follow_forgets_everything(desk: Desk, epoch: int, changes: int) -> None:
    desk.learn(JANE)
    desk.copy.watch_told(epoch, [Change(SPECIFIC, "somebody")] * changes)
    assert not desk.knows(JANE)
    assert desk.copy.epoch == epoch


def test_after_the_watch_breaks_answers_serve_for_the_bound_and_no_longer(desk: Desk) -> None:
    desk.learn(JANE)
    desk.time += 2.0
    desk.copy.watch_broke()
    assert not desk.copy.is_fresh
    desk.time += 57.9
    assert desk.knows(JANE)
    assert desk.copy.tally.stale == 1
    desk.time += 0.1
    assert not desk.knows(JANE)
    assert not desk.knows(JANE, desk.now + seconds(5))
    assert desk.copy.tally.outdated == 2
    desk.copy.watch_opened(7)
    assert desk.knows(JANE)


def test_the_bound_counts_from_the_last_word(desk: Desk) -> None:
    desk.learn(JANE)
    desk.time += 3.0
    desk.beat()
    desk.copy.watch_broke()
    desk.time += 59.9
    assert desk.knows(JANE)
    desk.time += 0.1
    assert not desk.knows(JANE)


def test_with_a_bound_of_zero_nothing_outlives_the_watch() -> None:
    desk = Desk(stale_s=0.0)
    desk.copy.watch_opened(7)
    desk.learn(JANE)
    desk.time += 3.0
    assert desk.knows(JANE)
    desk.time += 0.1
    assert not desk.knows(JANE), "the watch is silent"
    desk.beat()
    assert desk.knows(JANE)
    desk.copy.watch_broke()
    assert not desk.knows(JANE)


def test_a_silent_watch_counts_as_broken(desk: Desk) -> None:
    desk.learn(JANE)
    desk.time += 3.0
    fresh = [desk.copy.is_fresh]
    desk.time += 0.1
    fresh.append(desk.copy.is_fresh)
    assert fresh == [True, False]
    assert desk.knows(JANE)
    assert desk.copy.tally.stale == 1


def test_an_answer_ends_before_the_next_row_takes_effect(desk: Desk) -> None:
    desk.learn(JANE, until=NOON + seconds(10))
    desk.time += 10 - CLOCK_MARGIN_S - 0.02
    desk.beat()
    assert desk.knows(JANE)
    desk.time += 0.02
    assert not desk.knows(JANE)
    desk.time += CLOCK_MARGIN_S
    assert not desk.knows(JANE)


def test_the_time_that_the_answer_took_counts_against_it(desk: Desk) -> None:
    asking = desk.copy.asking()
    desk.time += 2.0
    # The book answered at once, and the answer was two seconds on its way.
    desk.copy.learn(asking, JANE, Answer(price(), NOON, NOON + seconds(2.2)))
    assert not desk.knows(JANE)


def test_another_answer_tells_the_time_too(desk: Desk) -> None:
    desk.learn(JANE, until=NOON + seconds(1_000))
    desk.time += CLOCK_KNOWN_S + 1
    desk.beat()
    assert not desk.knows(JANE), "nobody knows whether the book's clock was set meanwhile"
    desk.learn(OTIENO_VIA_SHOP)
    assert desk.knows(JANE)
    # The book's clock was set forward by an hour, as the next answer shows.
    desk.copy.learn(desk.copy.asking(), OTIENO_VIA_SHOP, Answer(price(), desk.now + seconds(3_600), None))
    assert not desk.knows(JANE)


def test_an_earlier_question_s_answer_does_not_turn_the_clock_back(desk: Desk) -> None:
    early = desk.copy.asking()
    desk.time += 1
    desk.learn(JANE, until=NOON + seconds(3))
    desk.copy.learn(early, OTIENO_VIA_SHOP, Answer(price(), NOON - seconds(3_600), None))
    desk.time += 2
    assert not desk.knows(JANE)


def test_an_answer_without_an_end_needs_no_clock(desk: Desk) -> None:
    desk.learn(JANE)
    for _ in range(1_000):
        desk.time += 3
        desk.beat()
    assert desk.knows(JANE)


def test_while_the_book_is_away_the_old_estimate_of_its_clock_serves(desk: Desk) -> None:
    desk.learn(JANE, until=NOON + seconds(110))
    for _ in range(20):
        desk.time += 3
        desk.beat()
    desk.copy.watch_broke()
    desk.time += 49
    assert desk.knows(JANE)
    desk.time += 1
    assert not desk.knows(JANE)


def test_a_scheduled_send_is_priced_from_the_copy_within_what_is_known(desk: Desk) -> None:
    desk.learn(JANE, until=NOON + seconds(100))
    desk.learn(OTIENO_VIA_SHOP)
    assert not desk.knows(JANE, NOON - seconds(1))
    assert desk.knows(JANE, NOON)
    assert desk.knows(JANE, NOON + seconds(99.999999))
    assert not desk.knows(JANE, NOON + seconds(100))
    assert desk.knows(OTIENO_VIA_SHOP, NOON + seconds(1e8))


def test_the_least_recently_used_answers_make_room() -> None:
    desk = Desk(capacity=3)
    desk.copy.watch_opened(7)
    for name in ("a", "b", "c"):
        desk.learn((name, None))
    assert desk.knows(("a", None))
    desk.learn(("d", None))
    desk.learn(("e", None))
    assert [name for name in "abcde" if desk.knows((name, None))] == ["a", "d", "e"]
    assert len(desk.copy) == 3


def test_no_capacity_means_no_memory() -> None:
    desk = Desk(capacity=0)
    desk.copy.watch_opened(7)
    desk.learn(JANE)
    assert not desk.knows(JANE)
    assert len(desk.copy) == 0


def test_what_has_changed_is_remembered_in_bounded_memory(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_copy, "MAX_CHANGED", 10)
    desk.learn(JANE)
    for number in range(10):
        desk.copy.watch_told(8 + number, [Change(SPECIFIC, f"c{number}")])
    assert desk.knows(JANE)
    asking = desk.copy.asking()
    desk.copy.watch_told(18, [Change(SPECIFIC, "jane")])
    assert not desk.knows(JANE)
    desk.learn(JANE, asking=asking)
    assert not desk.knows(JANE)
    assert desk.copy.tally.resets == 2
