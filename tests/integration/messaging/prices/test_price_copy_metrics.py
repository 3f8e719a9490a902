"""Figures of the copy of the price book: how it serves, how stale it is, and when it fails closed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from messaging_service.prices.domain.price_copy import PriceCopy
from messaging_service.prices.metrics.price_copy_metrics import PriceCopyCollector
from service_kit.errors import ServiceError
from tests.doubles.price_book_double import DIRECT, Follower, following

STALE_S = 60.0


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    async with following(stale_s=STALE_S) as made:
        yield made


def read(copy: PriceCopy, name: str) -> float:
    registry = CollectorRegistry()
    registry.register(PriceCopyCollector(copy))
    value = registry.get_sample_value(f"tukupay_price_copy_{name}")
    assert value is not None, name
    return value


def counts(follower: Follower, *names: str) -> list[float]:
    return [read(follower.copy, f"{name}_total") for name in names]


async def test_a_fresh_copy_counts_hits_direct_calls_and_changes(follower: Follower) -> None:
    await follower.price()
    await follower.price()
    assert counts(follower, "misses", "hits", "calls", "failures", "refused") == [1, 1, 1, 0, 0]
    assert [read(follower.copy, name) for name in ("watch_open", "fresh", "answers")] == [1, 1, 1]
    assert read(follower.copy, "staleness_seconds") < 10
    assert read(follower.copy, "stale_bound_seconds") == STALE_S
    before = read(follower.copy, "epoch")
    follower.book.set(DIRECT, 700_000)
    await follower.caught_up()
    assert read(follower.copy, "epoch") == before + 1
    assert counts(follower, "changes") == [1]


async def test_without_the_book_the_copy_is_stale_until_the_bound_and_then_fails_closed(follower: Follower) -> None:
    await follower.price()
    await follower.stop_book()
    await follower.until(lambda: read(follower.copy, "watch_open") == 0)
    assert counts(follower, "breaks") == [1]
    await follower.price()
    assert counts(follower, "stale", "outdated", "refused") == [1, 0, 0]
    follower.clock[0] += STALE_S
    assert read(follower.copy, "staleness_seconds") >= STALE_S
    answers = await asyncio.gather(*(follower.price() for _ in range(3)), return_exceptions=True)
    assert all(isinstance(answer, ServiceError) for answer in answers)
    assert counts(follower, "outdated", "refused", "failures") == [3, 3, 1]


async def test_a_book_that_answers_without_a_price_it_could_not_look_up_counts_as_refused(follower: Follower) -> None:
    follower.book.failure = "DATABASE_UNAVAILABLE"
    answers = await asyncio.gather(*(follower.price("jane") for _ in range(2)), return_exceptions=True)
    assert [getattr(answer, "reason", None) for answer in answers] == ["PRICING_UNAVAILABLE"] * 2
    assert counts(follower, "refused", "failures") == [2, 0]


async def test_a_missing_price_is_no_failure_of_the_book(follower: Follower) -> None:
    follower.book.failure = "NO_PRICE"
    with pytest.raises(ServiceError, match="NO_PRICE"):
        await follower.price()
    assert counts(follower, "refused", "failures", "calls") == [0, 0, 1]


def test_before_the_first_word_there_is_neither_age_nor_epoch() -> None:
    copy = PriceCopy(capacity=10, silence_s=3.0, stale_s=STALE_S, clock=lambda: 5.0)
    assert math.isnan(read(copy, "staleness_seconds"))
    assert math.isnan(read(copy, "epoch"))
    assert [read(copy, name) for name in ("watch_open", "fresh")] == [0, 0]
