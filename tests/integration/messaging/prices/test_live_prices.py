"""The copy of the price book over gRPC: fresh while it is told of changes, and never trusted for longer than said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from messaging_service.prices.client.live_prices import report_copy
from service_kit.errors import Kind, ServiceError
from tests.doubles.price_book_double import (
    DEADLINE_S,
    DIRECT,
    SPECIFIC,
    TUKUPAY,
    Follower,
    following,
)


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    async with following() as made:
        yield made


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await call
    return caught.value


async def test_what_is_known_is_not_asked_for_again(follower: Follower) -> None:
    answers = await asyncio.gather(*(follower.price() for _ in range(100)))
    assert set(answers) == {800_000}
    assert (follower.book.calls, follower.book.questions) == (1, 1)
    assert await follower.price() == 800_000
    assert await follower.price(at=datetime.now(UTC) + timedelta(days=3)) == 800_000
    assert follower.book.calls == 1
    await follower.price(app_id="shop")
    assert follower.book.calls == 2


async def test_a_change_shows_as_soon_as_it_is_told(follower: Follower) -> None:
    await follower.price()
    follower.book.set(DIRECT, 700_000)
    await follower.caught_up()
    assert await follower.price() == 700_000
    row = follower.book.set(SPECIFIC, 500_000, of="jane", after_s=3_600)
    await follower.caught_up()
    later = datetime.now(UTC) + timedelta(hours=2)
    assert (await follower.price(), await follower.price(at=later)) == (700_000, 500_000)
    follower.book.withdraw(row)
    await follower.caught_up()
    assert (await follower.price(), await follower.price(at=later)) == (700_000, 700_000)


async def test_a_row_that_takes_effect_prices_from_then_on_without_news(follower: Follower) -> None:
    follower.book.set(SPECIFIC, 500_000, of="jane", after_s=0.6)
    await follower.caught_up()
    effective = follower.book.rows[-1].effective_from.ToDatetime(tzinfo=UTC)
    begun, before = datetime.now(UTC), []
    async with asyncio.timeout(DEADLINE_S):
        while await follower.price() == 800_000:
            before.append(begun)
            begun = datetime.now(UTC)
    assert before[-1] < effective <= datetime.now(UTC)
    assert follower.copy.tally.hits > 0


async def test_an_answer_overtaken_by_a_change_is_given_but_not_kept(follower: Follower) -> None:
    follower.book.answers_may_leave.clear()
    asking = asyncio.ensure_future(follower.price())
    await follower.book.answer_ready.wait()
    follower.book.set(SPECIFIC, 500_000, of="jane")
    await follower.caught_up()
    follower.book.answers_may_leave.set()
    assert await asking == 800_000
    assert await follower.price() == 500_000


async def test_a_break_without_changes_costs_nothing(follower: Follower) -> None:
    await follower.price()
    for watches in (2, 3, 4):
        follower.book.cut()
        async with asyncio.timeout(DEADLINE_S):
            while follower.book.watches < watches:
                await follower.watch.words(1)
        assert await follower.price() == 800_000
    assert follower.book.calls == 1


async def test_changes_missed_during_a_break_are_noticed_at_its_end(follower: Follower) -> None:
    await follower.price()
    await follower.price("otieno")
    await follower.stop_book()
    follower.book.set(SPECIFIC, 500_000, of="jane")
    assert await follower.price() == 800_000
    await follower.start_book()
    await follower.caught_up()
    assert (await follower.price(), await follower.price("otieno")) == (500_000, 800_000)


async def test_without_the_book_known_prices_serve_until_the_bound_and_others_not_at_all(follower: Follower) -> None:
    await follower.price()
    await follower.stop_book()
    assert await follower.price() == 800_000
    error = await refusal(follower.price("unknown"))
    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "PRICING_UNAVAILABLE")
    follower.clock[0] += 55
    assert await follower.price() == 800_000
    follower.clock[0] += 5
    assert (await refusal(follower.price())).reason == "PRICING_UNAVAILABLE"
    await follower.start_book()
    await follower.caught_up()
    assert await follower.price() == 800_000


async def test_with_a_bound_of_zero_the_first_send_after_the_break_fails() -> None:
    async with following(stale_s=0.0) as follower:
        await follower.price()
        await follower.stop_book()
        assert (await refusal(follower.price())).reason == "PRICING_UNAVAILABLE"


async def test_beyond_the_bound_a_book_that_answers_is_asked_each_time(follower: Follower) -> None:
    await follower.price()
    follower.book.is_mute = True
    await follower.broken()
    follower.clock[0] += 60
    follower.book.record_secretly(SPECIFIC, 500_000, of="jane")
    calls = follower.book.calls
    assert [await follower.price() for _ in range(3)] == [500_000] * 3
    assert follower.book.calls == calls + 3


async def test_a_watch_that_falls_silent_is_opened_again(follower: Follower) -> None:
    follower.book.is_mute = True
    await follower.broken()
    follower.book.is_mute = False
    follower.book.set(DIRECT, 700_000)
    await follower.caught_up()
    assert follower.book.watches > 1
    assert follower.copy.tally.breaks >= 1


async def test_news_from_before_a_standstill_of_the_process_is_not_believed(follower: Follower) -> None:
    watches = follower.book.watches
    follower.clock[0] += 30
    assert not follower.copy.is_fresh
    await follower.until(lambda: follower.book.watches > watches or follower.copy.is_fresh)
    assert follower.book.watches > watches
    await follower.caught_up()


async def test_only_prices_are_remembered(follower: Follower) -> None:
    follower.book.rows.clear()
    assert (await refusal(follower.price())).reason == "NO_PRICE"
    follower.book.record_secretly(TUKUPAY, 900_000)
    follower.book.failure = "DATABASE_UNAVAILABLE"
    assert (await refusal(follower.price())).reason == "PRICING_UNAVAILABLE"
    follower.book.failure = None
    assert await follower.price() == 900_000


async def test_the_price_of_a_later_instant_is_no_price_of_now(follower: Follower) -> None:
    follower.book.set(SPECIFIC, 500_000, of="jane", after_s=3_600)
    await follower.caught_up()
    later = datetime.now(UTC) + timedelta(hours=2)
    assert await follower.price(at=later) == 500_000
    assert await follower.price() == 800_000
    assert await follower.price(at=later) == 500_000


async def test_the_counts_are_logged_now_and_then(follower: Follower) -> None:
    await follower.price()
    await follower.price()
    with capture_logs() as logged:
        reporting = asyncio.ensure_future(report_copy(follower.copy, 0.01))
        await follower.until(lambda: bool(logged))
        reporting.cancel()
    report = next(entry for entry in logged if entry["event"] == "prices.copy")
    assert report["log_level"] == "info"
    assert {name: report[name] for name in ("hits", "misses", "calls", "failures", "answers", "epoch", "fresh")} == {
        "hits": 1,
        "misses": 1,
        "calls": 1,
        "failures": 0,
        "answers": 1,
        "epoch": 1,
        "fresh": True,
    }
    assert 0 <= report["age_s"] < 1
