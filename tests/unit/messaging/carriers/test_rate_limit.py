"""Submits spread over time, on a clock that jumps to whatever is waited for."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from messaging_service.carriers.template.rate_limit import GUST_S, RateLimit

PER_S = 200.0
MOST = 4
"""Tokens that 20 ms of that rate allow at once."""


class JumpingSelector(selectors.DefaultSelector):
    """Lets no real time pass while a loop waits; the loop's clock moves on instead."""

    now_s = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += timeout or 0.0
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now_s


def on_jumping_clock(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(test())


def now() -> float:
    return asyncio.get_running_loop().time()


def nobody() -> None:
    """Nobody waits for tokens."""


async def ready_after(rate: RateLimit, seconds: float) -> int | None:
    await asyncio.sleep(seconds)
    return rate.ready


def drained(per_s: float = PER_S, freed: Callable[[], None] = nobody) -> RateLimit:
    """A bucket with every token used."""
    rate = RateLimit(per_s, freed)
    while rate.ready:
        rate.take()
    rate.stop()
    return rate


def test_no_limit_gives_any_number_of_tokens() -> None:
    async def test() -> None:
        rate = RateLimit(0.0, nobody)
        for _ in range(1_000):
            rate.take()
        assert rate.ready is None
        began = now()
        await rate.turn()
        assert now() == began
        assert not rate.is_exhausted

    on_jumping_clock(test)


def test_a_full_bucket_holds_what_a_gust_allows() -> None:
    async def test() -> None:
        assert RateLimit(PER_S, nobody).ready == MOST == PER_S * GUST_S
        assert RateLimit(10.0, nobody).ready == 1
        rate = RateLimit(PER_S, nobody)
        await asyncio.sleep(60.0)
        assert rate.ready == MOST

    on_jumping_clock(test)


def test_tokens_come_back_at_the_rate() -> None:
    async def test() -> None:
        rate = drained()
        assert rate.ready == 0
        await asyncio.sleep(0.0101)
        assert rate.ready == 2
        await asyncio.sleep(1.0)
        assert rate.ready == MOST

    on_jumping_clock(test)


def test_tokens_given_back_never_exceed_the_bucket() -> None:
    async def test() -> None:
        rate = RateLimit(PER_S, nobody)
        for _ in range(10):
            rate.give_back()
        assert rate.ready == MOST
        rate.take()
        rate.give_back()
        rate.give_back()
        assert rate.ready == MOST
        for _ in range(MOST):
            rate.take()
        assert rate.ready == 0

    on_jumping_clock(test)


def test_a_token_given_back_can_be_taken_at_once() -> None:
    async def test() -> None:
        rate = drained()
        rate.give_back()
        assert rate.ready == 1

    on_jumping_clock(test)


def test_who_asks_an_empty_bucket_is_told_when_a_token_is_there() -> None:
    async def test() -> None:
        told: list[float] = []
        rate = drained(freed=lambda: told.append(now()))
        began = now()
        assert rate.ready == 0
        assert rate.ready == 0
        assert rate.is_exhausted
        await asyncio.sleep(1.0)
        assert told == [pytest.approx(began + 1 / PER_S)]
        assert not rate.is_exhausted

    on_jumping_clock(test)


def test_nobody_is_told_after_a_stop() -> None:
    async def test() -> None:
        told: list[float] = []
        rate = drained(freed=lambda: told.append(now()))
        assert rate.ready == 0
        rate.stop()
        await asyncio.sleep(1.0)
        assert told == []

    on_jumping_clock(test)


def test_turns_are_served_in_order_at_the_rate() -> None:
    async def test() -> None:
        rate = drained()
        began, served = now(), list[tuple[int, float]]()

        async def turn(number: int) -> None:
            await rate.turn()
            served.append((number, now() - began))

        await asyncio.gather(*(turn(number) for number in range(5)))
        assert [number for number, _ in served] == [0, 1, 2, 3, 4]
        assert [at_s for _, at_s in served] == pytest.approx([(number + 1) / PER_S for number in range(5)])
        assert rate.ready == 0

    on_jumping_clock(test)


def test_a_turn_that_has_its_token_does_not_wait() -> None:
    async def test() -> None:
        rate = RateLimit(PER_S, nobody)
        began = now()
        for _ in range(MOST):
            await rate.turn()
        assert now() == began
        await rate.turn()
        assert now() == pytest.approx(began + 1 / PER_S)

    on_jumping_clock(test)


def test_a_lower_rate_counts_from_the_change_and_holds_no_more_than_its_own_bucket() -> None:
    async def test() -> None:
        told: list[float] = []
        rate = RateLimit(PER_S, lambda: told.append(now()))
        rate.change(50.0)
        assert (rate.per_s, rate.ready, len(told)) == (50.0, 1, 1)
        rate.take()
        assert rate.ready == 0
        await asyncio.sleep(0.0201)
        assert rate.ready == 1

    on_jumping_clock(test)


def test_a_higher_rate_pays_off_at_its_own_pace_what_was_used_in_advance() -> None:
    async def test() -> None:
        rate = drained(50.0)
        for _ in range(10):
            rate.take()
        rate.change(PER_S)
        assert rate.ready == 0
        await asyncio.sleep(10 / PER_S + 0.0001)
        assert rate.ready == 0
        await asyncio.sleep(1 / PER_S)
        assert rate.ready == 1

    on_jumping_clock(test)


def test_the_same_rate_again_changes_nothing() -> None:
    async def test() -> None:
        told: list[float] = []
        rate = drained(freed=lambda: told.append(now()))
        rate.change(PER_S)
        assert (rate.ready, told) == (0, [])

    on_jumping_clock(test)


def test_a_limit_can_be_lifted_and_set_again() -> None:
    async def test() -> None:
        rate = drained()
        rate.change(0.0)
        assert await ready_after(rate, 0.0) is None
        rate.take()
        await asyncio.sleep(60.0)
        rate.change(PER_S)
        assert rate.ready == 0
        await asyncio.sleep(1 / PER_S + 0.0001)
        assert rate.ready == 1

    on_jumping_clock(test)
